"""Pooling that writes down no more than it must, and pooling between the average and the maximum.

Shapes: B batch, C channels, H W space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["HalvingMaxPool2d", "LogSumExpPool2d"]


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


class LogSumExpPool2d(nn.Module):
    r"""Smooth maximum over space: small places count more than in an average, the rest still learns.

    .. math:: \frac{1}{r} \ln \frac{1}{hw} \sum_{ij} e^{r x_{ij}}

    Pinheiro, Collobert 2015, https://arxiv.org/abs/1411.6228. A sharpness ``r`` near 0 is the average, a large one the
    maximum; a constant map gives its value.

    Args:
        sharpness: ``r``, > 0.

    Raises:
        ValueError: If ``r`` is not above 0.

    Example:
        >>> LogSumExpPool2d(1.0)(torch.tensor([[[[0.0, 3.0]]]]).log1p()).exp()
        tensor([[2.5000]])
    """

    def __init__(self, sharpness: float = 1.0) -> None:
        super().__init__()
        if sharpness <= 0:
            raise ValueError(f"sharpness must be > 0, got {sharpness}")
        self.sharpness = float(sharpness)

    def forward(self, input: Tensor) -> Tensor:
        """Pool ``(B, C, H, W)`` to ``(B, C)``."""
        largest = input.amax(dim=(2, 3), keepdim=True)
        mean = (self.sharpness * (input - largest)).exp().mean(dim=(2, 3))
        return largest[:, :, 0, 0] + mean.log() / self.sharpness
