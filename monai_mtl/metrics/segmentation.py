"""Segmentation metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import compute_dice

from .case_metric import CaseMetric
from .class_measures import mean_iou, pixel_accuracy
from .class_scores import confusion_table
from .lesion_class_measures import class_dice, class_pixels

__all__ = ["LesionClassDice", "LesionDice", "MeanIoU", "PixelAccuracy"]


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


class LesionClassDice(CaseMetric):
    """Dice of each class of lesions over the images that hold it, mean over the classes that occur.

    Expects ``pred`` as class indices ``(H, W)`` and ``<task>_target`` as class indices ``(1, H, W)``, 0 the background.
    With one class of lesions it is :class:`LesionDice`. ``n`` counts images with a lesion.

    Args:
        classes: Number of classes, the background's included.
        task: Task name.
        prediction_key: Key of the mask.
    """

    def __init__(self, classes: int, task: str = "seg", prediction_key: str = "pred") -> None:
        self.classes, self.row_width = classes, classes - 1
        super().__init__(task, prediction_key)

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float] | None:
        """Dice of each class in one image, nan where it has none; ``None`` without a lesion."""
        truth = target[0].cpu().numpy()
        if not truth.any():
            return None
        return class_dice(np.array(class_pixels(truth, prediction.cpu().numpy(), self.classes))).tolist()

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Mean over images, then over classes."""
        if not len(rows):
            return math.nan, "no annotated image holds a lesion"
        return float(rows.nanmean(dim=0).nanmean()), ""


class _PixelMetric(CaseMetric):
    """One table of the pixels of all annotated images, true class by predicted class.

    Expects ``pred`` as class indices ``(H, W)`` and ``<task>_target`` as class indices ``(1, H, W)``.

    Args:
        classes: Number of classes.
        task: Task name.
        prediction_key: Key of the mask.
    """

    def __init__(self, classes: int, task: str = "seg", prediction_key: str = "pred") -> None:
        self.classes = classes
        self.row_width = classes**2
        super().__init__(task, prediction_key)

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float]:
        """Pixels of one image, row by row of the table."""
        return confusion_table(target[0].cpu().numpy(), prediction.cpu().numpy(), self.classes).reshape(-1).tolist()

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Figure of the summed table."""
        if not len(rows):
            return math.nan, "no annotated image"
        return self.figure(rows.sum(dim=0).reshape(self.classes, self.classes).numpy()), ""

    @staticmethod
    def figure(table: np.ndarray) -> float:
        """Of a table ``(K, K)``."""
        return pixel_accuracy(table)


class PixelAccuracy(_PixelMetric):
    """Share of all pixels whose class is right."""


class MeanIoU(_PixelMetric):
    """Intersection over union of all pixels, mean over the classes that occur in the annotations."""

    @staticmethod
    def figure(table: np.ndarray) -> float:
        """Of a table ``(K, K)``."""
        return mean_iou(table)
