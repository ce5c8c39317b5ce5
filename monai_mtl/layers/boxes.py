"""Boxes: overlap, coding against reference boxes, and where a mask lies.

A box is ``x0, y0, x1, y1``: columns and rows that hold it, half open, in pixels of the image, as torchvision has them.
MONAI's ``box_iou`` and ``BoxCoder`` give the same numbers, for one image at a time and with a look at the values that
halts a GPU and that no exporter can write.

Shapes: B batch, N and M boxes, H W pixels; ``...`` is any shape or none.
"""

import math

import torch
from torch import Tensor

__all__ = ["box_iou", "clip_boxes", "decode_boxes", "encode_boxes", "mask_boxes"]


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs.

    Args:
        first: ``(..., N, 4)``.
        second: ``(..., M, 4)``.

    Returns:
        ``(..., N, M)``; nan where both boxes are empty.
    """
    area_first = (first[..., 2] - first[..., 0]) * (first[..., 3] - first[..., 1])
    area_second = (second[..., 2] - second[..., 0]) * (second[..., 3] - second[..., 1])
    a, b = first.unsqueeze(-2), second.unsqueeze(-3)
    width = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    height = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp(min=0)
    both = width * height
    return both / (area_first.unsqueeze(-1) + area_second.unsqueeze(-2) - both)


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * size, size


def encode_boxes(boxes: Tensor, reference: Tensor, scale: Tensor) -> Tensor:
    """What moves reference boxes onto boxes: shift of the centre in sizes of the reference, logarithm of the stretch.

    Args:
        boxes: ``(..., 4)``, width and height > 0.
        reference: ``(..., 4)``, width and height > 0.
        scale: ``(4,)``, factors of the four numbers: one over their standard deviations.

    Returns:
        ``(..., 4)``: dx, dy, dw, dh.
    """
    (centre, size), (from_centre, from_size) = _centre_and_size(boxes), _centre_and_size(reference)
    return torch.cat([(centre - from_centre) / from_size, torch.log(size / from_size)], dim=-1) * scale


def decode_boxes(deltas: Tensor, reference: Tensor, scale: Tensor) -> Tensor:
    """The inverse of :func:`encode_boxes`; no side becomes more than 62.5 times as long.

    Args:
        deltas: ``(..., 4)``.
        reference: ``(..., 4)``.
        scale: ``(4,)``.

    Returns:
        Boxes ``(..., 4)``.
    """
    from_centre, from_size = _centre_and_size(reference)
    deltas = deltas / scale
    centre = from_centre + deltas[..., :2] * from_size
    half = 0.5 * from_size * torch.exp(deltas[..., 2:].clamp(max=math.log(62.5)))
    return torch.cat([centre - half, centre + half], dim=-1)


def clip_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    """The part of each box that lies in the image.

    Args:
        boxes: ``(..., 4)``.
        height: Rows of the image.
        width: Columns.
    """
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def mask_boxes(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest box around all of each mask.

    Args:
        mask: ``(B, 1, H, W)``, 0 outside.

    Returns:
        Boxes ``(B, 4)``, float32, and ``(B,)``, true where the mask holds a pixel; an empty mask has an empty box.
    """
    inside = mask[:, 0] != 0
    columns, rows = inside.any(dim=1).int(), inside.any(dim=2).int()
    some = columns.any(dim=1)
    x0, y0 = columns.argmax(dim=1), rows.argmax(dim=1)
    x1 = columns.shape[1] - columns.flip(1).argmax(dim=1)
    y1 = rows.shape[1] - rows.flip(1).argmax(dim=1)
    return torch.stack([x0, y0, x1, y1], dim=1) * some.unsqueeze(1) * 1.0, some
