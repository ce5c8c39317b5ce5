"""Enlarging a map of logits in one step.

Shapes: B batch, K classes, h w positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LearnedUpsample2d"]


class LearnedUpsample2d(nn.Module):
    """Transposed convolution of each map by itself, which begins as bilinear interpolation.

    Long et al. 2015, https://arxiv.org/abs/1411.4038. At the border the outermost positions are repeated, as
    ``interpolate(..., align_corners=False)`` does, so that the beginning equals it everywhere.

    Args:
        channels: Maps ``K``.
        factor: Enlargement, a multiple of 2.

    Raises:
        ValueError: If the factor is odd or below 2.

    Example:
        >>> LearnedUpsample2d(1, 2)(torch.tensor([[[[0.0, 4.0]]]])).tolist()
        [[[[0.0, 1.0, 3.0, 4.0], [0.0, 1.0, 3.0, 4.0]]]]
    """

    def __init__(self, channels: int, factor: int) -> None:
        if factor < 2 or factor % 2:
            raise ValueError(f"factor must be a multiple of 2, got {factor}")
        super().__init__()
        self.channels, self.factor = channels, factor
        ramp = 1 - (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
        self.weight = nn.Parameter((ramp[:, None] * ramp).repeat(channels, 1, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        """Enlarge ``(B, K, h, w)``."""
        framed = F.pad(input, [1, 1, 1, 1], mode="replicate")
        padding = self.factor + self.factor // 2
        return F.conv_transpose2d(framed, self.weight, None, self.factor, padding, groups=self.channels)
