"""Figures of the one box of an image, from a table of cases: those of the metrics of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from .case_scores import CaseTable
from .detection import BoxAveragePrecision, BoxIoU
from .measure import Measure, Measured

__all__ = ["BOXES"]


def _of(metric: BoxIoU) -> Callable[[CaseTable], Measured]:
    """The figure of a metric over the annotated cases."""

    def compute(t: CaseTable) -> Measured:
        """Of the boxes of the cases."""
        known = [one for one in t.box if len(one)]
        rows = torch.from_numpy(np.reshape(known, (-1, metric.row_width)))
        value, reason = metric.reduce(rows)
        return Measured(value, metric.count(rows), reason)

    return compute


BOXES: Mapping[str, Measure] = {
    "box_iou": Measure(
        _of(BoxIoU()), "overlap of the box and that of the annotation, mean over images with a lesion; 0 if none found"
    ),
    "box_average_precision": Measure(
        _of(BoxAveragePrecision(threshold=0.5)), "average precision of the boxes, right from an overlap of 0.5 on"
    ),
}
"""The one box of an image against the smallest around its annotated mask."""
