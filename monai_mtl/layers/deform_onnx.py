"""How ``torch.onnx.export`` writes a deformable convolution: the ONNX operator ``DeformConv``, opset 19 or later.

Shapes as in :mod:`.deform_conv`.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .deform_sampling import Geometry

__all__ = ["onnx_deform_conv"]


class _TracedNode(torch.autograd.Function):
    """One node ``DeformConv`` in what the tracing exporter writes."""

    @staticmethod
    def forward(
        _ctx: Any, x: Tensor, _offset: Tensor, _mask: Tensor, weight: Tensor, geometry: list[int], others: list[int]
    ) -> Tensor:
        """A plain convolution ``(B, O, h, w)``: the tracer goes on with its shape and forgets its values."""
        return F.conv2d(x, weight, None, geometry[:2], geometry[2:4], geometry[4:], others[2])

    @staticmethod
    def symbolic(
        graph: Any, x: Any, offset: Any, mask: Any, weight: Any, geometry: list[int], others: list[int]
    ) -> Any:
        """The node; no input is its bias."""
        named = {f"{name}_i": value for name, value in _onnx_attributes(geometry, others).items()}
        nothing = graph.op("prim::Constant")
        nothing.setType(torch._C.OptionalType.ofTensor())
        node = graph.op("DeformConv", x, weight, offset, nothing, mask, **named)
        return node.setType(x.type().with_sizes([None, weight.type().sizes()[0], None, None]))


def _onnx_attributes(geometry: list[int], others: list[int]) -> dict[str, Any]:
    stride, padding, dilation = geometry[:2], geometry[2:4], geometry[4:]
    named = {"kernel_shape": others[:2], "strides": stride, "pads": padding * 2, "dilations": dilation}
    return named | {"group": others[2], "offset_group": others[3]}


def onnx_deform_conv(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
) -> Tensor:
    """One node ``DeformConv`` while ``torch.onnx.export`` records the network, and a bias behind it.

    Args:
        x: ``(B, C, H, W)``.
        offset: ``(B, G * 2 * P, h, w)``.
        mask: ``(B, G * P, h, w)``, or ``None``.
        weight: ``(O, C / groups, kh, kw)``.
        bias: ``(O,)``, or ``None``.
        geometry: Stride, padding and dilation.

    Returns:
        ``(B, O, h, w)``; its values mean nothing here.
    """
    flat = [int(number) for pair in geometry for number in pair]
    kernel = [int(side) for side in weight.shape[2:]]
    groups = [int(x.shape[1] // weight.shape[1]), int(offset.shape[1] // (2 * math.prod(kernel)))]
    if torch.compiler.is_exporting():
        inputs, shape = [x, weight, offset, None, mask], [x.shape[0], weight.shape[0], *offset.shape[2:]]
        attributes = _onnx_attributes(flat, [*kernel, *groups])
        out = torch.onnx.ops.symbolic("DeformConv", inputs, attributes, dtype=x.dtype, shape=shape, version=19)
    else:
        # Its function knows no absent input.
        mask = torch.ones_like(offset[:, : offset.shape[1] // 2]) if mask is None else mask
        out = _TracedNode.apply(x, offset, mask, weight, flat, [*kernel, *groups])
    return out if bias is None else out + bias.view(-1, 1, 1)
