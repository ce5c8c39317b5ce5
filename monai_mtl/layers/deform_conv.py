"""Deformable convolution: each point of the kernel is moved by an offset that the image decides.

Dai et al. 2017, https://arxiv.org/abs/1703.06211; modulated: Zhu et al. 2019, https://arxiv.org/abs/1811.11168.
Written from the definition, no code copied. No compiled operator is needed: see :mod:`.deform_sampling` for how the
samples are taken. ``torch.onnx.export`` writes the ONNX operator ``DeformConv``, so it needs opset 19 or later.

Shapes: B batch, C channels, O output channels, H W space, h w output space, P = kh * kw points of the kernel,
G deformable groups.
"""

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .deform_onnx import onnx_deform_conv
from .deform_sampling import Geometry, sample_and_multiply

__all__ = ["FORMS", "DeformConv2d", "deform_conv2d", "torchvision_operator"]

FORMS = ("auto", "grid", "rows", "torchvision")


def _output_size(size: int, kernel: int, geometry: Geometry, axis: int) -> int:
    span = geometry.dilation[axis] * (kernel - 1) + 1
    return (size + 2 * geometry.padding[axis] - span) // geometry.stride[axis] + 1


def _check(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    geometry: Geometry,
    form: str,
) -> None:
    if form not in ("auto", "grid", "rows", "torchvision"):
        raise ValueError("deform_conv2d: unknown form '" + form + "'; use auto, grid, rows or torchvision")
    points = weight.shape[2] * weight.shape[3]
    channels = x.shape[1]
    if channels % weight.shape[1] != 0 or weight.shape[0] % (channels // weight.shape[1]) != 0:
        raise ValueError(f"deform_conv2d: weight {list(weight.shape)} does not fit {channels} channels")
    groups = offset.shape[1] // (2 * points)
    if groups < 1 or offset.shape[1] != groups * 2 * points or channels % groups != 0:
        raise ValueError(f"deform_conv2d: {offset.shape[1]} offset channels are not 2 * {points} a deformable group")
    size = [_output_size(x.shape[2 + i], weight.shape[2 + i], geometry, i) for i in range(2)]
    if min(size) < 1:
        raise ValueError(f"deform_conv2d: the output of {list(x.shape)} would be empty")
    expected = [x.shape[0], groups * 2 * points, size[0], size[1]]
    if list(offset.shape) != expected:
        raise ValueError(f"deform_conv2d: offset must be {expected}, got {list(offset.shape)}")
    expected[1] = groups * points
    if mask is not None and list(mask.shape) != expected:
        raise ValueError(f"deform_conv2d: mask must be {expected}, got {list(mask.shape)}")


@functools.cache
def torchvision_operator() -> Callable[..., Tensor] | None:
    """Compiled operator of torchvision, or ``None`` where it is absent or its library does not load."""
    try:
        from torchvision.ops import deform_conv2d as operator

        # Some builds import and fail at the first call.
        operator(torch.zeros(1, 1, 1, 1), torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, 1))
    except (ImportError, RuntimeError):
        return None
    return operator


def _dispatch(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    form: str,
) -> Tensor:
    if not torch.jit.is_scripting():
        if torch.onnx.is_in_onnx_export():
            return onnx_deform_conv(x, offset, mask, weight, bias, geometry)
        repeatable = torch.are_deterministic_algorithms_enabled()
        if form == "torchvision" or (form == "auto" and x.is_cuda and not repeatable):
            operator = torchvision_operator()
            if operator is not None:
                return operator(x, offset, weight, bias, *geometry, mask)
            if form == "torchvision":
                raise RuntimeError("deform_conv2d: torchvision's operator is not available; use form 'auto'")
        if form == "auto" and repeatable:
            form = "rows"
    return sample_and_multiply(x, offset, mask, weight, bias, geometry, form)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(value, int):
        return (value, value)
    return value


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    mask: Tensor | None = None,
    form: str = "auto",
) -> Tensor:
    r"""Convolution whose points are moved by given offsets.

    .. math:: y(p) = b + \sum_k w_k\, m_k(p)\, x(p + p_k + \Delta p_k(p))

    ``x`` between pixels is bilinear and zero outside. Offsets of zero without a mask are a plain convolution; the
    number of groups and of deformable groups follows from the shapes.

    Args:
        x: ``(B, C, H, W)``.
        offset: Pixels ``(B, G * P * 2, h, w)``; for each group and point, row by row, first down, then right.
        weight: ``(O, C / groups, kh, kw)``.
        bias: ``(O,)``.
        stride: Step, one number or that of rows and of columns.
        padding: Zeros around ``x``, likewise.
        dilation: Distance of the points, likewise.
        mask: Factors ``(B, G * P, h, w)``; ``None`` is 1.
        form: ``"auto"``, ``"rows"``, ``"grid"``, or ``"torchvision"`` for its compiled operator. ``"auto"`` is the
            quicker one by the number of channels, on a GPU torchvision's where it loads; with
            ``torch.use_deterministic_algorithms`` it is one whose backward pass is deterministic.

    Returns:
        ``(B, O, h, w)``.

    Raises:
        ValueError: If shapes do not fit each other or ``form`` is unknown.
        RuntimeError: If ``form`` is ``"torchvision"`` and its operator does not load.
    """
    geometry = Geometry(_pair(stride), _pair(padding), _pair(dilation))
    _check(x, offset, mask, weight, geometry, form)
    return _dispatch(x, offset, mask, weight, bias, geometry, form)


def _pair_of(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


class DeformConv2d(nn.Module):
    """Deformable convolution that predicts its own offsets, for the place of a ``nn.Conv2d``.

    A plain convolution of the same geometry, ``offset_conv``, gives the offsets and, behind them, the logits of the
    mask. Its weights start at zero and its bias as in any convolution: a fixed small move, half the values.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: Rows and columns of the kernel.
        stride: Step.
        padding: Zeros around the map.
        dilation: Distance of the points.
        groups: Groups of the convolution.
        deformable_groups: Groups of input channels with offsets of their own.
        bias: Whether the outputs have one; ``offset_conv`` always does.
        modulated: Whether each point is weighted by a sigmoid of its own.
        form: As in :func:`deform_conv2d`.

    Raises:
        ValueError: If a number is out of its range or ``form`` is unknown.

    Example:
        >>> conv = DeformConv2d(8, 4, 3, padding=1)
        >>> conv.offset_conv.out_channels, tuple(conv(torch.zeros(2, 8, 5, 7)).shape)
        (27, (2, 4, 5, 7))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        deformable_groups: int = 1,
        bias: bool = True,
        modulated: bool = True,
        form: str = "auto",
    ) -> None:
        super().__init__()
        kernel = _pair_of(kernel_size)
        self.stride, self.padding, self.dilation = _pair_of(stride), _pair_of(padding), _pair_of(dilation)
        if min(in_channels, out_channels, groups, deformable_groups) < 1:
            raise ValueError("DeformConv2d expects channels and groups >= 1")
        if in_channels % groups or out_channels % groups or in_channels % deformable_groups:
            raise ValueError(f"DeformConv2d: {in_channels} and {out_channels} channels do not split into the groups")
        if min(*kernel, *self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise ValueError("DeformConv2d expects kernel_size, stride, dilation >= 1 and padding >= 0")
        if form not in FORMS:
            raise ValueError(f"DeformConv2d: form must be one of {FORMS}, got '{form}'")
        self.form, self.modulated = form, modulated
        self.offsets = 2 * deformable_groups * math.prod(kernel)
        predicted = self.offsets // 2 * (3 if modulated else 2)
        self.offset_conv = nn.Conv2d(in_channels, predicted, kernel, self.stride, self.padding, self.dilation)
        nn.init.zeros_(self.offset_conv.weight)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # nn.Conv2d's own
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve.

        Args:
            x: ``(B, C, H, W)``.

        Returns:
            ``(B, O, h, w)``, h and w those of a plain convolution.
        """
        predicted = self.offset_conv(x)
        mask = torch.sigmoid(predicted[:, self.offsets :]) if self.modulated else None
        offset = predicted[:, : self.offsets]
        geometry = Geometry(self.stride, self.padding, self.dilation)
        return _dispatch(x, offset, mask, self.weight, self.bias, geometry, self.form)

    def extra_repr(self) -> str:
        """What ``print`` tells."""
        weight = tuple(self.weight.shape)
        return f"weight={weight}, stride={self.stride}, padding={self.padding}, modulated={self.modulated}"
