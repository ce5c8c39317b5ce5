"""How well the one box of an image fits its lesion.

A box is ``x0, y0, x1, y1`` in pixels, half open, and its score, 0 where nothing was found; the true one is the smallest
around the annotated mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..layers.boxes import box_iou, mask_boxes
from .case_metric import CaseMetric

__all__ = ["BoxAveragePrecision", "BoxIoU"]


class BoxIoU(CaseMetric):
    """Mean intersection over union of the found box and the true one, over images with a lesion; 0 if none is found.

    Expects ``<prediction_key>`` as ``(5,)`` and ``<task>_target`` as a mask ``(1, H, W)``, 0 outside.

    Args:
        task: Task of the mask.
        prediction_key: Key of the box.
    """

    row_width = 3

    def __init__(self, task: str = "seg", prediction_key: str = "det") -> None:
        super().__init__(task, prediction_key)

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float]:
        """Score, overlap and whether there is a lesion."""
        true, some = mask_boxes(target[None].to(prediction.device))
        overlap = box_iou(prediction[None, :4].float(), true.float()).nan_to_num(0.0)
        score = float(prediction[4]) if bool(torch.isfinite(prediction).all()) else math.nan
        return [score, float(overlap), float(some)]

    def count(self, rows: torch.Tensor) -> int:
        """Images that hold a lesion."""
        return int(rows[:, 2].sum())

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Mean."""
        lesions = rows[:, 2] > 0
        if not bool(lesions.any()):
            return math.nan, "no annotated image holds a lesion"
        if not bool(torch.isfinite(rows).all()):
            return math.nan, "a box is not finite"
        return float(rows[lesions, 1].mean()), ""


class BoxAveragePrecision(BoxIoU):
    """Average precision of the boxes, best score first: COCO's mean over 101 recalls, one box and one class an image.

    Args:
        task: Task of the mask.
        prediction_key: Key of the box.
        threshold: Overlap from which a box is right, in (0, 1].
    """

    def __init__(self, task: str = "seg", prediction_key: str = "det", threshold: float = 0.5) -> None:
        self.threshold = threshold
        super().__init__(task, prediction_key)

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Average precision."""
        value, reason = super().reduce(rows)
        if reason:
            return value, reason
        found = rows[rows[:, 0] > 0]
        right = (found[found[:, 0].argsort(descending=True, stable=True), 1] >= self.threshold).double()
        recall = right.cumsum(0) / rows[:, 2].sum()
        precision = right.cumsum(0) / torch.arange(1, len(right) + 1)
        precision = precision.flip(0).cummax(0)[0].flip(0)  # the best at this recall or a higher one
        place = torch.searchsorted(recall, torch.linspace(0, 1, 101, dtype=torch.float64))
        return float(torch.cat([precision, precision.new_zeros(1)])[place].mean()), ""
