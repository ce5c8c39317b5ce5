"""Masks of boxes brought to the grid of the image.

Shapes: B batch, N boxes of an image, M rows and columns of a box's mask, H W pixels.
"""

import torch
from torch import Tensor

__all__ = ["paste_masks", "paste_union"]


def _shares(start: Tensor, end: Tensor, size: int, bins: int) -> Tensor:
    """How much of each bin is in each pixel along an axis ``(B, size, bins)``: bilinear inside the box, 0 outside."""
    pixel = torch.arange(size, device=start.device) + 0.5
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    at = (pixel - start) / (end - start).clamp(min=1e-3) * bins - 0.5
    inside = (pixel >= start) & (pixel < end)
    distance = at.clamp(0, bins - 1).unsqueeze(2) - torch.arange(bins, device=start.device)
    return (1 - distance.abs()).clamp(min=0) * inside.unsqueeze(2)


def paste_masks(logits: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Stretch each mask over its box.

    Args:
        logits: ``(B, M, M)``.
        boxes: ``(B, 4)`` in pixels; no gradient reaches them.
        height: H.
        width: W.

    Returns:
        Logits ``(B, H, W)`` of the probability that is bilinear between the centres of the bins, and 0 where the
        centre of a pixel is outside the box; none is beyond 9.2 to either side, a probability of 0.0001.
    """
    boxes = boxes.detach()
    rows = _shares(boxes[:, 1], boxes[:, 3], height, logits.shape[1])
    columns = _shares(boxes[:, 0], boxes[:, 2], width, logits.shape[2]).transpose(1, 2)
    outside = 1 - rows.sum(dim=2, keepdim=True) * columns.sum(dim=1, keepdim=True)
    # Each by itself: the difference of a large probability from 1 has few digits left. And written out: the sigmoids of
    # programs that run exported networks are rough where they are small.
    odds = torch.exp(logits.clamp(-20, 20))
    lesion, other = rows @ (odds / (1 + odds)) @ columns, rows @ (1 / (1 + odds)) @ columns
    return torch.log(lesion + 1e-4) - torch.log(other + outside.clamp(min=0) + 1e-4)


def paste_union(logits: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Stretch the masks of an image's boxes over them; each pixel has the largest of what is pasted there.

    Args:
        logits: ``(B, N, M, M)``.
        boxes: ``(B, N, 4)`` in pixels; an empty one shows nothing.
        height: H.
        width: W.

    Returns:
        Logits ``(B, 1, H, W)``, as of :func:`paste_masks`.
    """
    parts: list[Tensor] = []
    # Few at a time: each is as large as the image.
    for start in range(0, boxes.shape[1], 8):
        some, where = logits[:, start : start + 8], boxes[:, start : start + 8]
        pasted = paste_masks(some.flatten(0, 1), where.reshape(-1, 4), height, width)
        parts.append(pasted.view(boxes.shape[0], -1, height, width).amax(dim=1, keepdim=True))
        if len(parts) > 1:
            parts = [torch.maximum(parts[0], parts[1])]
    return parts[0]
