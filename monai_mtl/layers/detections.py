"""Judged proposals become detections: each is of the lesion class that it most likely shows, in the box coded for it.

Shapes: B batch, K classes without the background, N proposals of an image, L of them ranked, the best one or all N.
"""

import torch
from torch import Tensor

from .boxes import decode_boxes
from .nms import keep_best_boxes

__all__ = ["class_answer", "decode_ranked", "rank_boxes", "separate_boxes"]


def rank_boxes(class_logits: Tensor, exists: Tensor, every: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The largest probability of a class that each proposal has, best first.

    Args:
        class_logits: ``(B, N, 1 + K)``, the background first.
        exists: ``(B, N)``, false for proposals that are none: their score is 0.
        every: Whether all are ranked; else the best one.

    Returns:
        Score, index among the proposals, and class from 0, each ``(B, L)``; of equal scores, the first comes first.
    """
    probability = class_logits.softmax(dim=2)[:, :, 1:] * exists.unsqueeze(2)
    score, lesion_class = probability.max(dim=2)
    if every:
        score, index = _sort(score)
    else:
        score, index = torch.max(score, dim=1, keepdim=True)
    return score, index, lesion_class.gather(1, index)


def decode_ranked(codes: Tensor, boxes: Tensor, index: Tensor, lesion_class: Tensor, scale: Tensor) -> Tensor:
    """Boxes ``(B, L, 4)`` of the ranked proposals, as coded for their classes.

    Args:
        codes: ``(B, N, 1 + K, 4)``.
        boxes: The proposals ``(B, N, 4)``.
        index: As :func:`rank_boxes` gives it, ``(B, L)``.
        lesion_class: As it gives it, ``(B, L)``.
        scale: Factors of the coded boxes ``(4,)``.
    """
    place = index * codes.shape[2] + lesion_class + 1
    codes = codes.flatten(1, 2).gather(1, place.unsqueeze(2).expand(-1, -1, 4))
    return decode_boxes(codes, boxes.gather(1, index.unsqueeze(2).expand(-1, -1, 4)), scale)


def separate_boxes(boxes: Tensor, lesion_class: Tensor, found: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Those of the boxes that no better one of the same class overlaps by more than 0.3.

    Args:
        boxes: ``(B, N, 4)``, best first.
        lesion_class: ``(B, N)``.
        found: ``(B, N)``, false for those that do not count.
        most: How many to keep.

    Returns:
        Boxes ``(B, most, 4)``, empty where there are fewer, and their classes ``(B, most)``.
    """
    # Classes are moved so far from each other that they cannot overlap.
    far = boxes + (lesion_class * 2.0 * boxes.max()).unsqueeze(2)
    index, exists = keep_best_boxes(far, found, 0.3, most)
    boxes = boxes.gather(1, index.unsqueeze(2).expand(-1, -1, 4)) * exists.unsqueeze(2)
    return boxes, lesion_class.gather(1, index)


def class_answer(class_logits: Tensor, index: Tensor, found: Tensor) -> Tensor:
    """Logits ``(B, K)`` of the best detection's classes; without one, the first class has all the probability.

    Args:
        class_logits: ``(B, N, 1 + K)``, the background first.
        index: As :func:`rank_boxes` gives it, ``(B, L)``.
        found: ``(B, L)``, true for those that are detections.
    """
    best = class_logits.gather(1, index[:, :1].unsqueeze(2).expand(-1, -1, class_logits.shape[2]))[:, 0, 1:]
    # Logits so far apart that their softmax is 0 and 1 exactly.
    nothing = torch.where(torch.arange(best.shape[1], device=best.device) == 0, 100.0, -100.0)
    return torch.where(found[:, :1], best, nothing)


def _sort(score: Tensor) -> tuple[Tensor, Tensor]:
    """Values ``(B, N)`` and their indices, the largest first, of equal ones the first."""
    if not torch.jit.is_scripting():  # noqa: SIM102  (scripting compiles a joint condition as a whole)
        # An exported one is stable as it is.
        if torch.onnx.is_in_onnx_export():
            return torch.topk(score, score.shape[1], dim=1)
    return torch.sort(score, dim=1, descending=True, stable=True)
