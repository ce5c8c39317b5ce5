"""Classification metrics from probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from sklearn.metrics import roc_auc_score

from ..errors import DataError
from .breast_measures import NO_SIDE, breast_name, strongest
from .case_metric import CaseMetric

__all__ = ["ROCAUC", "Accuracy", "BreastROCAUC"]


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


class BreastROCAUC(ROCAUC):
    """Area under the ROC curve of breasts: probability and class are the largest of the annotated images.

    ``n`` counts breasts. Undefined where no case tells its side, or only one class occurs.

    Args:
        task: Task name.
        cases: The cases that are evaluated, with ``case_id``, ``patient_id`` and ``laterality``. One without patient or
            side stands for a breast of its own. Where none has a side, they need no ``case_id`` either: those of MONAI
            Label have none.
        prediction_key: Key of the prediction; ``None`` is the task name.
    """

    row_width = 3

    def __init__(self, task: str, cases: Sequence[Mapping[str, Any]], prediction_key: str | None = None) -> None:
        fields = ("case_id", "patient_id", "laterality")
        names = [breast_name(*(str(case.get(field) or "") for field in fields)) for case in cases]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self._breast = {str(case.get("case_id")): numbers[name] for case, name in zip(cases, names, strict=True)}
        self._sides = any(name.startswith("breast ") for name in names)
        super().__init__(task, prediction_key)

    def iteration_completed(self, engine: Engine) -> None:
        """Note which cases the batch holds, which the output does not say, then as any metric."""
        batch: Any = engine.state.batch
        self._names = [str(case.get("case_id")) for case in batch]
        super().iteration_completed(engine)

    def update(self, output: Sequence[Mapping[str, Any]]) -> None:
        """Add the annotated cases of a batch.

        Raises:
            DataError: If a case is none of those that the metric was given.
        """
        if unknown := [name for name in self._names if name not in self._breast]:
            raise DataError("cases of which the metric knows no breast", unknown, fix="give it the evaluated cases")
        for name, case in zip(self._names, output, strict=True):
            self._at = self._breast[name]
            super().update([case])

    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float]:
        """Probability of class 1, the true class and the number of the breast."""
        return [*super().row(prediction, target), self._at]

    def count(self, rows: torch.Tensor) -> int:
        """Number of breasts."""
        return len(rows[:, 2].unique())

    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Area."""
        if not self._sides:
            return math.nan, NO_SIDE
        largest = strongest(rows[:, 2].numpy(), rows[:, 0].numpy(), rows[:, 1].numpy())
        value, reason = super().reduce(torch.from_numpy(np.stack(largest, axis=1)))
        return value, reason.replace("images", "breasts")
