"""Gate unit: one factor an image decides how much of a skip connection goes on.

He, Yang, Su, Wang 2024 (ACSNet). Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["GateUnit", "conv_group_norm"]


def conv_group_norm(in_channels: int, out_channels: int, groups: int) -> nn.Sequential:
    """3x3 convolution with bias, GroupNorm, ReLU.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        groups: Groups of the norm.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(conv, nn.GroupNorm(groups, out_channels), nn.ReLU(inplace=True))


class GateUnit(nn.Module):
    """Scales all features of an image by one learned factor, then refines them.

    Two sigmoid maps are looked at as a whole: the factor is the mean of the first plus the maximum of the second,
    so it lies between 0 and 2. Zero closes the connection for this image.

    Args:
        channels: Channels in and out, a multiple of 16.

    Raises:
        ValueError: If ``channels`` is not a multiple of 16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 16 or channels % 16:
            raise ValueError(f"GateUnit expects a multiple of 16 channels, got {channels}")
        narrow = channels // 8
        self.gate = nn.Sequential(
            *conv_group_norm(channels, narrow, narrow // 2), nn.Conv2d(narrow, 2, 3, padding=1), nn.Sigmoid()
        )
        self.output = conv_group_norm(channels, channels, channels // 4)

    def forward(self, x: Tensor) -> Tensor:
        """Gate.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C, H, W)``.
        """
        maps = self.gate(x)
        factor = maps[:, 0].mean(dim=(1, 2)) + maps[:, 1].amax(dim=(1, 2))
        return self.output(x * factor[:, None, None, None])
