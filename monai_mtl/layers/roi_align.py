"""ROI align in plain PyTorch: the same numbers as torchvision's operator, from one weighted sum of rows.

He et al. 2017, Mask R-CNN, https://arxiv.org/abs/1703.06870. Written from the definition, no code copied. Each bin of a
box is the average of samples between pixels, so a weighted sum of the pixels around them. All maps of a pyramid and
all images are one table with a row a pixel, and all boxes are read from it at once.

Shapes: B batch, C channels, h w positions of a map, N boxes of an image, R boxes in all, P Q bins, S samples a side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["pyramid_level", "pyramid_roi_align", "roi_align"]


def _taps(start: Tensor, length: Tensor, size: Tensor, bins: int, sampling: int) -> tuple[Tensor, Tensor]:
    """Along one axis, which positions make up each bin, and by how much: two tensors ``(R, bins, 2 * S)``."""
    step = (length / bins).view(-1, 1, 1)
    index = torch.arange(bins, device=start.device).view(1, -1, 1)
    sample = torch.arange(sampling, device=start.device, dtype=start.dtype) + 0.5
    at = start.view(-1, 1, 1) + index * step + sample * step / sampling
    last = (size - 1).view(-1, 1, 1)
    # Up to one position outside, the border counts; what is farther away is zero.
    counts = ((at >= -1) & (at <= last + 1)).to(at.dtype) / sampling
    at = torch.minimum(at.clamp(min=0), last.to(at.dtype))
    low = at.floor()
    share = at - low
    near = low.to(torch.int64)
    far = torch.minimum(near + 1, last)
    return torch.cat([near, far], dim=2), torch.cat([counts * (1 - share), counts * share], dim=2)


def _weighted_rows(table: Tensor, index: Tensor, shares: Tensor) -> Tensor:
    if not torch.jit.is_scripting():  # noqa: SIM102  (scripting compiles a joint condition as a whole)
        if torch.onnx.is_in_onnx_export():
            # An exported bag would be a loop over bags.
            total = table[index[:, 0]] * shares[:, :1]
            for i in range(1, index.shape[1]):
                total = total + table[index[:, i]] * shares[:, i : i + 1]
            return total
    return F.embedding_bag(index, table, mode="sum", per_sample_weights=shares)


def _read(
    table: Tensor,
    first: Tensor,
    height: Tensor,
    width: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    sampling: int,
    aligned: bool,
) -> Tensor:
    """Bins ``(R, C, P, Q)`` of boxes ``(R, 4)`` in positions of their maps, which begin at rows ``first`` ``(R,)``."""
    boxes = boxes - 0.5 if aligned else boxes
    length = boxes[:, 2:] - boxes[:, :2]
    if not aligned:
        length = length.clamp(min=1.0)
    rows, row_shares = _taps(boxes[:, 1], length[:, 1], height, size[0], sampling)
    columns, column_shares = _taps(boxes[:, 0], length[:, 0], width, size[1], sampling)
    rows = first.view(-1, 1, 1) + rows * width.view(-1, 1, 1)
    index = rows.view(-1, size[0], 1, 2 * sampling, 1) + columns.view(-1, 1, size[1], 1, 2 * sampling)
    shares = row_shares.view(-1, size[0], 1, 2 * sampling, 1) * column_shares.view(-1, 1, size[1], 1, 2 * sampling)
    taps = 4 * sampling * sampling
    bins = _weighted_rows(table, index.view(-1, taps), shares.view(-1, taps))
    return bins.view(boxes.shape[0], size[0], size[1], table.shape[1]).permute(0, 3, 1, 2)


def _check(size: tuple[int, int], sampling: int) -> None:
    if min(size[0], size[1], sampling) < 1:
        raise ValueError(f"roi_align expects bins and samples >= 1, got {size[0]} x {size[1]} and {sampling}")


def roi_align(
    features: Tensor,
    boxes: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
    aligned: bool = False,
) -> Tensor:
    """Features of boxes on a fixed grid, as torchvision's ``roi_align``.

    Args:
        features: ``(B, C, h, w)``.
        boxes: ``(R, 5)``: which image, then x0, y0, x1, y1; no gradient reaches them.
        output_size: Rows and columns of bins.
        spatial_scale: Positions of the map per unit of the boxes.
        sampling_ratio: Samples a side of a bin, >= 1; torchvision's other ways, as many as there are pixels in a bin,
            would make the work depend on the boxes.
        aligned: Whether position 0 of the map covers 0 to 1 of the box's axis. If not, its centre lies at 0, and a
            box is at least one position wide.

    Returns:
        ``(R, C, P, Q)``, float32 or float64.

    Raises:
        ValueError: If ``output_size`` or ``sampling_ratio`` is below 1.

    Example:
        >>> ramp = torch.arange(64.0).view(1, 1, 8, 8)
        >>> roi_align(ramp, torch.tensor([[0, 1.0, 1, 6, 7]]), (2, 2))[0, 0]
        tensor([[22.2500, 24.7500],
                [46.2500, 48.7500]])
    """
    _check(output_size, sampling_ratio)
    kind = torch.float64 if features.dtype == torch.float64 else torch.float32
    height, width = features.shape[2], features.shape[3]
    table = features.to(kind).permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    image = boxes[:, 0].to(torch.int64)
    sizes = [torch.full_like(image, height), torch.full_like(image, width)]
    places = boxes[:, 1:].detach().to(kind) * spatial_scale
    return _read(table, image * (height * width), sizes[0], sizes[1], places, output_size, sampling_ratio, aligned)


def pyramid_level(boxes: Tensor, levels: int) -> Tensor:
    """Which map a box is read from: P2 for the smallest, one coarser whenever its side doubles, P4 at 224 pixels.

    Lin et al. 2017, https://arxiv.org/abs/1612.03144, equation 1.

    Args:
        boxes: ``(..., 4)`` in pixels.
        levels: Maps from P2 on.

    Returns:
        ``(...)``: 0 for P2 up to ``levels - 1``.
    """
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    level = torch.floor(2 + 0.5 * torch.log2(area.clamp(min=1e-6) / (224.0 * 224.0)) + 1e-6)
    return level.clamp(0, levels - 1).to(torch.int64)


def pyramid_roi_align(
    pyramid: list[Tensor], boxes: Tensor, image: Tensor, output_size: int, sampling_ratio: int = 2, aligned: bool = True
) -> Tensor:
    """Features of each box from the map that fits its size.

    Args:
        pyramid: Maps ``(B, C, h, w)`` from P2 on, of strides 4, 8, ...
        boxes: ``(R, 4)`` in pixels; no gradient reaches them.
        image: ``(R,)``, to which of the B images each belongs.
        output_size: Rows and columns of bins, P.
        sampling_ratio: As in :func:`roi_align`.
        aligned: As in :func:`roi_align`.

    Returns:
        ``(R, C, P, P)``, float32 or float64.

    Raises:
        ValueError: If ``output_size`` or ``sampling_ratio`` is below 1.
    """
    size = (output_size, output_size)
    _check(size, sampling_ratio)
    kind = torch.float64 if pyramid[0].dtype == torch.float64 else torch.float32
    boxes = boxes.detach().to(kind)
    level = pyramid_level(boxes, len(pyramid))
    tables: list[Tensor] = []
    begin, heights, widths = torch.zeros_like(level), torch.zeros_like(level), torch.zeros_like(level)
    scale = torch.zeros_like(level, dtype=kind)
    total = 0
    for i, features in enumerate(pyramid):
        batch, channels, height, width = features.shape
        tables.append(features.to(kind).permute(0, 2, 3, 1).reshape(-1, channels))
        here = (level == i).to(torch.int64)
        begin, heights, widths = begin + here * total, heights + here * height, widths + here * width
        scale = scale + here * 0.25 * 0.5**i
        total += batch * height * width
    first, places = begin + image * heights * widths, boxes * scale.unsqueeze(1)
    return _read(torch.cat(tables), first, heights, widths, places, size, sampling_ratio, aligned)
