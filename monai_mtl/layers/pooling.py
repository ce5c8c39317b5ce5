"""Pooling that writes down no more than it must.

Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["HalvingMaxPool2d"]


class HalvingMaxPool2d(nn.MaxPool2d):
    """``MaxPool2d(2)`` that, without gradients on a CPU, does not note where each maximum was.

    PyTorch notes it always, as 8 bytes a value: four times as much as the bfloat16 map that comes out. The largest of
    four shifted maps is the same number, in half the time. Exports keep the plain pooling.

    Example:
        >>> with torch.no_grad():
        ...     HalvingMaxPool2d()(torch.arange(8.0).view(1, 1, 2, 4))
        tensor([[[[5., 7.]]]])
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, input: Tensor) -> Tensor:
        """Halve ``(B, C, H, W)``; a last odd row or column is left out."""
        plain = torch.jit.is_scripting() or torch.jit.is_tracing() or torch.is_grad_enabled()
        if plain or input.device.type != "cpu":
            return nn.functional.max_pool2d(input, 2)
        height, width = input.shape[-2] // 2 * 2, input.shape[-1] // 2 * 2
        rows = torch.maximum(input[..., 0:height:2, :], input[..., 1:height:2, :])
        return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])
