"""Pre-activation residual block and the norm-act-convolution unit that goes with it.

He et al. 2016, "Identity mappings in deep residual networks", https://arxiv.org/abs/1603.05027.
Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["PreActBlock", "norm_act_conv"]


def norm_act_conv(in_channels: int, out_channels: int, bias: bool = False) -> nn.Sequential:
    """BatchNorm, ReLU, 1x1 convolution: changes the width of a pre-activation stream.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        bias: Whether the convolution has a bias (prediction heads do).
    """
    return nn.Sequential(
        nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True), nn.Conv2d(in_channels, out_channels, 1, bias=bias)
    )


class PreActBlock(nn.Module):
    """BN-ReLU-conv3x3-BN-ReLU-dropout-conv3x3 plus the input; nothing follows the sum.

    The dropout drops whole channels and sits between the two convolutions. A bare 1x1 convolution
    carries the input where the width changes.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        dropout: Probability in [0, 1) with which a channel is dropped while training.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout2d(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.act = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual to ``x``.

        Args:
            x: ``(B, C_in, H, W)``.

        Returns:
            ``(B, C_out, H, W)``.
        """
        residual = self.act(self.norm2(self.conv1(self.act(self.norm1(x)))))  # nested: the inner maps are freed at once
        residual = self.conv2(self.dropout(residual))
        return self.shortcut(x) + residual
