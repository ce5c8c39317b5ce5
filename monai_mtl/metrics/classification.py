"""Classification metrics from probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from sklearn.metrics import roc_auc_score

from .case_metric import CaseMetric

__all__ = ["ROCAUC", "Accuracy"]


class Accuracy(CaseMetric):
    """Share of images whose most probable class is right, of equals the first: of two, class 1 only above 0.5.

    Expects ``<task>`` as probabilities ``(K,)`` and ``<task>_target`` as a class index.
    """

    row_width = 2

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float]:
        """Largest probability, and whether its class is right."""
        probabilities = prediction.flatten()
        return [float(probabilities.max()), float(int(probabilities.argmax()) == int(target))]

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Share."""
        if not len(rows):
            return math.nan, "no annotated image"
        if not bool(torch.isfinite(rows).all()):
            return math.nan, "a probability is not finite"
        return float(rows[:, 1].mean()), ""


class ROCAUC(CaseMetric):
    """Area under the ROC curve (scikit-learn); undefined unless both classes occur.

    Expects ``<task>`` as probabilities ``(2,)`` and ``<task>_target`` as a class index.
    """

    row_width = 2

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float]:
        """Probability of class 1 and the true class."""
        return [float(prediction.flatten()[1]), float(target)]

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Area."""
        positive = int((rows[:, 1] > 0.5).sum())
        if positive in (0, len(rows)):
            return math.nan, f"one class only: {positive} positive and {len(rows) - positive} negative images"
        if not bool(torch.isfinite(rows).all()):
            return math.nan, "a probability is not finite"
        return float(roc_auc_score(rows[:, 1].numpy(), rows[:, 0].numpy())), ""
