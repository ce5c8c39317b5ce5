"""The inside of a deformable convolution in plain PyTorch: samples between pixels, times the weight.

Two forms give the same numbers. ``rows`` takes every sample as a weighted sum of four rows of a table that has one
row a pixel; its backward pass is deterministic on every device, and on a CPU it is the quicker one but for few
channels. ``grid`` takes them by ``grid_sample``, a few output rows at a time.

Shapes: B batch, C channels, O output channels, H W space, h w output space, P points of the kernel, G deformable
groups, n positions of the output.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Geometry", "sample_and_multiply"]


class Geometry(NamedTuple):
    """Where a plain convolution looks; each value for rows and for columns."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


def _resting_places(out: int, kernel: int, geometry: Geometry, axis: int, like: Tensor) -> Tensor:
    """Coordinates ``(out, kernel)`` at which a plain convolution would look along an axis."""
    start = torch.arange(out, dtype=like.dtype, device=like.device) * geometry.stride[axis] - geometry.padding[axis]
    return start[:, None] + torch.arange(kernel, dtype=like.dtype, device=like.device) * geometry.dilation[axis]


def _multiply(cols: Tensor, weight: Tensor) -> Tensor:
    """Samples ``(n, P, C)``, points outside channels, times the weight: ``(n, O)``."""
    n, points, channels = cols.shape
    outputs, width = weight.shape[:2]
    groups = channels // width
    left = cols.view(n, points, groups, width).permute(2, 0, 1, 3).reshape(groups, n, points * width)
    right = weight.permute(0, 2, 3, 1).reshape(groups, outputs // groups, points * width)
    return torch.matmul(left, right.transpose(1, 2)).permute(1, 0, 2).reshape(n, outputs)


def _rows_form(x: Tensor, y_at: Tensor, x_at: Tensor, mask: Tensor | None, weight: Tensor) -> Tensor:
    """Sum of four rows per sample; coordinates and mask are ``(B, h, w, P, G)``."""
    batch, out_h, out_w, points, groups = y_at.shape
    channels, height, width = x.shape[1:]
    # Beyond one pixel outside everything is zero, so a border of zeros holds all that can be reached.
    y_at, x_at = y_at.clamp(-1, height), x_at.clamp(-1, width)
    top, left = y_at.floor(), x_at.floor()
    dy, dx = y_at - top, x_at - left
    table = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2, 1, 2))
    count, stride = batch * (height + 3) * (width + 3) * groups, (width + 3) * groups
    table = table.reshape(count, channels // groups)

    whole = torch.int32 if count < 2**31 else torch.int64
    image = torch.arange(batch, device=x.device).to(whole).view(-1, 1, 1, 1, 1) * (height + 3)
    group = torch.arange(groups, device=x.device).to(whole)
    corner = ((image + (top.to(whole) + 1)) * (width + 3) + (left.to(whole) + 1)) * groups + group
    # Only an offset that is not a number can leave the table; its weights are nan and tell so in the output.
    corner = corner.clamp(0, count - 1 - stride - groups)
    index = torch.stack([corner, corner + groups, corner + stride, corner + (stride + groups)], dim=-1).view(-1, 4)
    lower = dy if mask is None else dy * mask
    upper = 1 - dy if mask is None else mask - lower
    upper_right, lower_right = upper * dx, lower * dx
    shares = torch.stack([upper - upper_right, upper_right, lower - lower_right, lower_right], dim=-1).view(-1, 4)

    per_position = points * groups
    total = batch * out_h * out_w
    step = total
    if not torch.is_grad_enabled():
        # 16 MB in float32: few steps, since with several threads each costs a wait; no slower than smaller ones.
        step = max(1, (1 << 22) // (points * channels))
    parts: list[Tensor] = []
    for start in range(0, total, step):
        first, last = start * per_position, min(start + step, total) * per_position
        cols = F.embedding_bag(index[first:last], table, mode="sum", per_sample_weights=shares[first:last])
        parts.append(_multiply(cols.to(weight.dtype).view(-1, points, channels), weight))
    out = torch.cat(parts) if len(parts) > 1 else parts[0]
    return out.view(batch, out_h, out_w, weight.shape[0]).permute(0, 3, 1, 2)


def _grid_form(x: Tensor, y_at: Tensor, x_at: Tensor, mask: Tensor | None, weight: Tensor) -> Tensor:
    """``grid_sample`` of the points below each other; coordinates and mask are ``(B, h, w, P, G)``."""
    batch, out_h, out_w, points, groups = y_at.shape
    channels, height, width = x.shape[1:]
    x = x.reshape(batch * groups, channels // groups, height, width)
    grid = torch.stack([(x_at + 0.5) * (2 / width) - 1, (y_at + 0.5) * (2 / height) - 1], dim=-1)
    grid = grid.permute(0, 4, 3, 1, 2, 5).reshape(batch * groups, points, out_h, out_w, 2)
    if mask is not None:
        mask = mask.permute(0, 4, 3, 1, 2).reshape(batch * groups, 1, points, out_h, out_w)
    outputs, per_group = weight.shape[:2]
    weights = weight.reshape(channels // per_group, -1, per_group * points)

    # 4 MB in float32 stay in a processor's cache.
    step = max(1, (1 << 20) // (batch * points * channels * out_w))
    parts: list[Tensor] = []
    for start in range(0, out_h, step):
        rows = grid[:, :, start : start + step]
        count = rows.shape[2]
        cols = F.grid_sample(x, rows.reshape(batch * groups, points * count, out_w, 2), align_corners=False)
        cols = cols.view(batch * groups, channels // groups, points, count, out_w)
        if mask is not None:
            cols = cols * mask[:, :, :, start : start + step]
        cols = cols.to(weight.dtype).view(batch, weights.shape[0], per_group * points, count * out_w)
        parts.append(torch.matmul(weights, cols).view(batch, outputs, count, out_w))
    return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]


def sample_and_multiply(
    x: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    form: str,
) -> Tensor:
    """Convolution whose points are moved by offsets; arguments as in :func:`.deform_conv.deform_conv2d`, checked.

    Args:
        x: ``(B, C, H, W)``.
        offset: ``(B, G * P * 2, h, w)``.
        mask: ``(B, G * P, h, w)``.
        weight: ``(O, C / groups, kh, kw)``.
        bias: ``(O,)``.
        geometry: Stride, padding and dilation.
        form: ``"rows"``, ``"grid"`` or, for the one that measured quicker, ``"auto"``.

    Returns:
        ``(B, O, h, w)``.
    """
    # Coordinates need float32 at least: bfloat16 cannot tell 256 from 257.
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    batch, channels = x.shape[:2]
    (kernel_h, kernel_w), (out_h, out_w) = weight.shape[2:], offset.shape[2:]
    points = kernel_h * kernel_w
    groups = offset.shape[1] // (2 * points)
    moved = offset.to(kind).view(batch, groups, points, 2, out_h, out_w).permute(0, 4, 5, 2, 1, 3)
    rows = _resting_places(out_h, kernel_h, geometry, 0, moved)
    columns = _resting_places(out_w, kernel_w, geometry, 1, moved)
    y_at = moved[..., 0] + rows.repeat_interleave(kernel_w, dim=1).view(out_h, 1, points, 1)
    x_at = moved[..., 1] + columns.repeat(1, kernel_h).view(out_w, points, 1)
    if mask is not None:
        mask = mask.to(kind).view(batch, groups, points, out_h, out_w).permute(0, 3, 4, 2, 1)

    if form == "auto":
        # Measured on a CPU: short rows are what the rows form does badly, most of all in its backward pass.
        few = 32 if torch.is_grad_enabled() else 16
        form = "grid" if x.is_cuda or channels // groups < few else "rows"
    if form == "rows":
        out = _rows_form(x.to(kind), y_at, x_at, mask, weight)
    else:
        out = _grid_form(x.to(kind), y_at, x_at, mask, weight)
    if bias is not None:
        out = out + bias.to(out.dtype).view(-1, 1, 1)
    # As a convolution does: the order in memory is that of the input.
    return out.contiguous() if x.is_contiguous() else out
