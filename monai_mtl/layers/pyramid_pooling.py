"""Pyramid pooling whose sizes follow the map.

Zhao et al. 2017, "Pyramid scene parsing network", https://arxiv.org/abs/1612.01105, as Y-Net uses it.
Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .esp import conv_norm_act

__all__ = ["PyramidPooling", "adaptive_average_pool"]

SHARES = ((5, 6), (2, 3), (1, 2), (3, 8))
"""Numerator and denominator of each branch's size, as a share of the map's."""


def adaptive_average_pool(x: Tensor, height: int, width: int) -> Tensor:
    """``adaptive_avg_pool2d`` that can be exported for any size.

    PyTorch's ONNX exporters refuse a pooling whose windows differ, or write one that is wrong at other sizes
    than the exported; there, and there only, it is a product with the averaging weights of rows and columns.

    Args:
        x: ``(B, C, H, W)``.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        ``(B, C, height, width)``.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102  (TorchScript leaves out this branch, not half a condition)
        if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export():
            return _averages(x, x.shape[2], height) @ (x @ _averages(x, x.shape[3], width).T)
    return F.adaptive_avg_pool2d(x, (height, width))


def _averages(x: Tensor, size: int, count: int) -> Tensor:
    """Row i holds the weights that average what cell i of ``count`` covers of ``size`` places."""
    cell = torch.arange(count, device=x.device)[:, None]
    place = torch.arange(size, device=x.device)
    first, last = cell * size // count, ((cell + 1) * size + count - 1) // count
    return ((place >= first) & (place < last)).to(x.dtype) / (last - first)


class PyramidPooling(nn.Module):
    """Four averages of the map, coarser and coarser, each narrowed and enlarged again beside the map.

    The branches pool to 5/6, 2/3, 1/2 and 3/8 of height and width, rounded down, at least 1. For maps of
    48, 96 and 192 these are the fixed sizes of Y-Net's authors.

    Args:
        in_channels: Channels ``C`` in.
        branch_channels: Channels of each branch.
        align_corners: As in ``torch.nn.functional.interpolate``.
    """

    def __init__(self, in_channels: int, branch_channels: int, align_corners: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleList(conv_norm_act(in_channels, branch_channels, 1) for _ in SHARES)
        self.shares = SHARES
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Pool.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, C + 4 * branch_channels, H, W)``, the map itself first.
        """
        height, width = x.shape[2], x.shape[3]
        parts = [x]
        for (part, whole), branch in zip(self.shares, self.branches):  # noqa: B905  (TorchScript knows no strict=)
            pooled = branch(adaptive_average_pool(x, max(1, height * part // whole), max(1, width * part // whole)))
            enlarged = F.interpolate(pooled, size=(height, width), mode="bilinear", align_corners=self.align_corners)
            parts.append(enlarged)
        return torch.cat(parts, dim=1)
