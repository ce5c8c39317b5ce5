"""Base of the metrics: one row a case, gathered over processes, undefined with a reason."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.utils import evenly_divisible_all_gather

__all__ = ["CaseMetric"]

logger = logging.getLogger(__name__)


class CaseMetric(Metric):
    """Collects a row of numbers for each annotated case and reduces them at the end of the epoch.

    Reads post-processed cases as :class:`monai_mtl.transforms.UnpackTasksd` leaves them: ``<task>``,
    ``<task>_target`` and ``<task>_annotated``. Beside ``engine.state.metrics[name]`` it writes
    ``engine.state.metric_details[name]`` with ``n`` and, where the value is nan, ``reason``.

    Args:
        task: Task name.
        prediction_key: Key of the prediction; ``None`` is the task name.
    """

    def __init__(self, task: str, prediction_key: str | None = None) -> None:
        self.task, self.prediction_key = task, prediction_key or task
        self.detail: dict[str, Any] = {}
        super().__init__()

    def reset(self) -> None:
        """Forget the rows of the last epoch."""
        self._rows: list[torch.Tensor] = []

    def update(self, output: Sequence[Mapping[str, Any]]) -> None:
        """Add the annotated cases of a batch."""
        for case in output:
            if bool(case[f"{self.task}_annotated"]):
                row = self.row(torch.as_tensor(case[self.prediction_key]), torch.as_tensor(case[f"{self.task}_target"]))
                if row is not None:
                    self._rows.append(torch.tensor(row, dtype=torch.float64))

    def compute(self) -> float:
        """Reduce the rows of all processes."""
        width = self.row_width
        rows = torch.stack(self._rows) if self._rows else torch.zeros(0, width, dtype=torch.float64)
        rows = evenly_divisible_all_gather(rows, concat=True)
        value, reason = self.reduce(rows)
        self.detail = {"n": self.count(rows)}
        if math.isnan(value):
            self.detail["reason"] = reason
        return value

    def completed(self, engine: Engine, name: str) -> None:
        """Store the value and its details; tell why it is undefined."""
        super().completed(engine, name)
        state: Any = engine.state
        state.metric_details[name] = self.detail
        if "reason" in self.detail:
            logger.warning("%s is undefined: %s", name, self.detail["reason"])

    row_width = 1
    """Numbers in a row."""

    def count(self, rows: torch.Tensor) -> int:
        """What ``n`` tells of these rows: how many the value stands on."""
        return len(rows)

    @abstractmethod
    def row(self, prediction: torch.Tensor, target: torch.Tensor) -> Sequence[float] | None:
        """Numbers of one case, or ``None`` if the case does not count."""

    @abstractmethod
    def reduce(self, rows: torch.Tensor) -> tuple[float, str]:
        """Value of all rows ``(N, row_width)`` and, where it is nan, the reason."""
