"""Segmentation metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.metrics import compute_dice

from .case_metric import CaseMetric

__all__ = ["LesionDice"]


class LesionDice(CaseMetric):
    """Mean Dice over the images that hold a lesion; images without one do not count.

    Expects ``pred`` as a binary mask ``(H, W)`` and ``<task>_target`` as class indices ``(1, H, W)``,
    0 outside. Per image it is MONAI's ``compute_dice``. (The HDS paper also averages over images without
    a mass, which count 1 if nothing is predicted.)
    """

    def __init__(self, task: str = "seg", prediction_key: str = "pred") -> None:
        super().__init__(task, prediction_key)

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float] | None:
        """Dice of one image, or ``None`` without a lesion."""
        lesion = target[0] > 0
        if not bool(lesion.any()):
            return None
        return [float(compute_dice(prediction[None, None] > 0, lesion[None, None]).mean())]

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Mean."""
        return (float(rows.mean()), "") if len(rows) else (math.nan, "no annotated image holds a lesion")
