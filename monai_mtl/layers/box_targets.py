"""What anchors and proposals are to learn: which of them hold an object, and which of them take part.

Shapes: B batch, N boxes to judge, G true boxes of an image, S boxes drawn.
"""

import torch
from torch import Tensor

from .boxes import box_iou

__all__ = ["BACKGROUND", "IGNORED", "OBJECT", "UNJUDGED", "UNKNOWN_OBJECT", "assign_boxes", "draw_boxes"]

BACKGROUND, OBJECT, IGNORED = 0, 1, -1
"""Labels of a box."""
UNKNOWN_OBJECT, UNJUDGED = -2, -3
"""Labels of a box that is some object, and of one that may be: its image tells a class and no place."""


def assign_boxes(
    boxes: Tensor,
    true_boxes: Tensor,
    exists: Tensor,
    foreground: float,
    background: float,
    best_counts: bool = False,
) -> tuple[Tensor, Tensor]:
    """Label boxes by their overlap with the true ones.

    Args:
        boxes: ``(N, 4)``, or ``(B, N, 4)``.
        true_boxes: ``(B, G, 4)``.
        exists: ``(B, G)``, false for true boxes that are none.
        foreground: Intersection over union from which a box is an object.
        background: Intersection over union below which it is background; between the two it is ignored.
        best_counts: Whether the boxes that overlap a true one most are objects in any case.

    Returns:
        Labels ``(B, N)`` and, for each box, the index ``(B, N)`` of the true box that it overlaps most.
    """
    overlap = torch.where(exists.unsqueeze(2), box_iou(true_boxes, boxes), -1.0).nan_to_num(0.0)
    most, which = overlap.max(dim=1)
    label = torch.full_like(which, IGNORED).masked_fill(most < background, BACKGROUND)
    label = label.masked_fill(most >= foreground, OBJECT)
    if best_counts:
        best = (overlap == overlap.amax(dim=2, keepdim=True)) & (overlap > 0)
        label = label.masked_fill(best.any(dim=1), OBJECT)
        # Such a box belongs to the one that it is the best of, be it less near.
        which = torch.where(best.any(dim=1), best.int().argmax(dim=1), which)
    return label, which


def draw_boxes(label: Tensor, noise: Tensor, number: int, objects: int) -> tuple[Tensor, Tensor]:
    """Draw boxes that take part: objects first, and background for the rest.

    Args:
        label: ``(B, N)``.
        noise: ``(B, N)``, in [0, 1): of each kind, the largest are drawn, so random numbers make a random choice.
        number: Boxes drawn, S, of an image.
        objects: Objects among them at most.

    Returns:
        Indices ``(B, S)`` and labels ``(B, S)``, ignored where an image has too few; S is at most N.
    """
    number, objects = min(number, label.shape[1]), min(objects, label.shape[1])
    first = torch.topk(torch.where(label == OBJECT, noise, -1.0), objects, dim=1)[1]
    may = (label == BACKGROUND).scatter(1, first, True) & (label != IGNORED)
    value, index = torch.topk(torch.where(may, label.to(noise.dtype) + noise, -1.0), number, dim=1)
    return index, label.gather(1, index).masked_fill(value < 0, IGNORED)
