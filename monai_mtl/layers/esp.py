"""Efficient spatial pyramid block, and the residual block that may stand in its place.

Mehta et al. 2018, "ESPNet", https://arxiv.org/abs/1803.06815, in the form of Y-Net,
https://arxiv.org/abs/1806.01313.
Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ESPBlock", "PostActBlock", "conv_norm_act"]

DILATIONS = (1, 2, 4, 8)


def conv_norm_act(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU; the size changes by the stride alone, rounded up.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel: Odd side of the kernel.
        stride: Step of the convolution.
    """
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class ESPBlock(nn.Module):
    """Reduces to a quarter of the channels, looks at it with four dilations, and adds the input.

    The outputs of the dilations 1, 2, 2 + 4 and 2 + 4 + 8 lie side by side: sums from small to large, so
    that a wide dilation leaves no grid in the map. The reduction is 3x3 here; ESPNet's own is 1x1.

    Args:
        channels: Channels in and out, a multiple of 4.

    Raises:
        ValueError: If ``channels`` is not a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ValueError(f"ESPBlock expects a multiple of 4 channels, got {channels}")
        quarter = channels // 4
        self.reduce = nn.Conv2d(channels, quarter, 3, padding=1, bias=False)
        self.dilated = nn.ModuleList(
            nn.Conv2d(quarter, quarter, 3, padding=d, dilation=d, bias=False) for d in DILATIONS
        )
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Add the pyramid to ``x``.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C, H, W)``.
        """
        reduced = self.reduce(x)
        one, two, four, eight = [conv(reduced) for conv in self.dilated]
        up_to_four = two + four
        return self.act(self.norm(x + torch.cat([one, two, up_to_four, up_to_four + eight], dim=1)))


class PostActBlock(nn.Module):
    """Conv3x3-BN-ReLU-conv3x3-BN plus the input, ReLU after the sum.

    Args:
        channels: Channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm_act(channels, channels, 3)
        self.second = conv_norm_act(channels, channels, 3)[:2]
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual to ``x``.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C, H, W)``.
        """
        return self.act(x + self.second(self.first(x)))
