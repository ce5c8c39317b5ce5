"""Attention of ACSNet: over space with deformable convolutions, and over channels.

He, Yang, Su, Wang 2024 (ACSNet). Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .deform_conv import DeformConv2d

__all__ = ["ChannelAttention", "DeformableSpatialAttention"]


def _conv_norm(in_channels: int, out_channels: int, deformable: bool) -> nn.Sequential:
    kind = DeformConv2d if deformable else nn.Conv2d
    conv = kind(in_channels, out_channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.GroupNorm(out_channels // 4, out_channels), nn.ReLU(inplace=True))


class DeformableSpatialAttention(nn.Module):
    """Two attention maps over what a deformable convolution sees, merged by a second one.

    The maps come from the mean and from the maximum over the channels; the features times each of them lie side
    by side before the second convolution.

    Args:
        channels: Channels in and out, a multiple of 4.
        deformable: Whether the convolutions are modulated deformable ones or plain ones.

    Raises:
        ValueError: If ``channels`` is not a multiple of 4.
    """

    def __init__(self, channels: int, deformable: bool = True) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ValueError(f"DeformableSpatialAttention expects a multiple of 4 channels, got {channels}")
        self.look = _conv_norm(channels, channels, deformable)
        self.from_mean = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid())
        self.from_max = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid())
        self.merge = _conv_norm(2 * channels, channels, deformable)

    def forward(self, x: Tensor) -> Tensor:
        """Attend.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C, H, W)``.
        """
        features = self.look(x)
        by_mean = self.from_mean(features.mean(dim=1, keepdim=True))
        by_max = self.from_max(features.amax(dim=1, keepdim=True))
        return self.merge(torch.cat([by_mean * features, by_max * features], dim=1))


class ChannelAttention(nn.Module):
    """Scales each channel by what the whole image shows in all of them, then ReLU.

    Args:
        channels: Channels in and out, a multiple of 16.

    Raises:
        ValueError: If ``channels`` is not a multiple of 16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 16 or channels % 16:
            raise ValueError(f"ChannelAttention expects a multiple of 16 channels, got {channels}")
        narrow = channels // 16
        self.linear = nn.Sequential(
            nn.Linear(2 * channels, narrow), nn.ReLU(inplace=True), nn.Linear(narrow, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Attend.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C, H, W)``, not negative.
        """
        seen = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        return torch.relu(x * self.linear(seen)[:, :, None, None])
