"""What a training did, for people and programs: a table, a picture and, where wanted, TensorBoard."""

from __future__ import annotations

import csv
import logging
import math
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow

from ..errors import ConfigError
from ..outputs.curves import draw_curves

__all__ = ["TrainingLog"]

logger = logging.getLogger("monai_mtl")


class TrainingLog:
    """One row an epoch in ``training.csv``, and ``training.png`` with the curves.

    A row holds the epoch, the steps so far, the learning rate, the mean loss of the epoch, each task's mean loss
    (before its weight) with its weight, and the metrics of the validation, if one ran. A resumed training goes
    on with the rows of the stopped one. In a list of handlers it stands after the validation.

    Args:
        folder: Where the files are written.
        loss: Loss with dictionaries ``task_losses`` and ``weights`` by task.
        optimizer: Whose learning rate is told.
        evaluator: Whose metrics are told.
        tensorboard: Whether the same numbers also go to ``folder/tensorboard``; needs the package
            ``tensorboard``, the extra ``track``.

    Raises:
        ConfigError: If ``tensorboard`` is asked for and the package is missing.
    """

    def __init__(
        self,
        folder: PathLike,
        loss: Any,
        optimizer: torch.optim.Optimizer,
        evaluator: Workflow | None = None,
        tensorboard: bool = False,
    ) -> None:
        self.folder, self.loss, self.optimizer, self.evaluator = Path(folder), loss, optimizer, evaluator
        self._writer: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                fix = "pip install 'monai-mtl[track]', or leave tensorboard false"
                raise ConfigError("tensorboard is not installed", fix=fix) from error
            self._writer = SummaryWriter(str(self.folder / "tensorboard"))
        self._rows: list[dict[str, float]] = []

    @property
    def table(self) -> Path:
        """The CSV file."""
        return self.folder / "training.csv"

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Workflow) -> None:
        self._rows = []
        if engine.state.epoch > 0 and self.table.is_file():
            with open(self.table, newline="", encoding="utf-8") as file:
                rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
            self._rows = [row for row in rows if row["epoch"] <= engine.state.epoch]

    def _begin_epoch(self, engine: Workflow) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def _step(self, engine: Workflow) -> None:
        for name, value in (("loss", engine.state.output["loss"]), *self.loss.task_losses.items()):
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def _end_epoch(self, engine: Workflow) -> None:
        if idist.get_rank() != 0:
            return
        state = engine.state
        row = {"epoch": float(state.epoch), "step": float(state.iteration)}
        row["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        row["loss"] = means.pop("loss", math.nan)
        for task, weight in self.loss.weights.items():
            row |= {f"{task}_loss": means.get(task, math.nan), f"{task}_weight": float(weight)}
        # MONAI's ValidationHandler gives the evaluator the trainer's epoch.
        if self.evaluator is not None and self.evaluator.state.epoch == state.epoch and self.evaluator.state.metrics:
            row |= {name: float(value) for name, value in self.evaluator.state.metrics.items()}
        self._rows.append(row)
        self._write()
        if self._writer is not None:
            for name, value in row.items():
                self._writer.add_scalar(name, value, state.epoch)

    def _write(self) -> None:
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.table, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows({k: f"{v:.8g}" for k, v in row.items()} for row in self._rows)

    def _finish(self, engine: Workflow) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._rows and idist.get_rank() == 0:
            picture = self.folder / "training.png"
            draw_curves(self._rows, picture)
            logger.info("curves: %s, numbers: %s", picture, self.table)
