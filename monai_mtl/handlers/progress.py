"""What a person sees while training runs."""

from __future__ import annotations

import logging
import math
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import Workflow
from tqdm import tqdm

from ..bundle.root import option_values
from ..errors import DataError

__all__ = ["TrainingProgress", "ValidationSummary", "duration"]

logger = logging.getLogger("monai_mtl")

BAR_SECONDS = 0.5
ANNOUNCE_AFTER = 2
"""Steps timed before the length of the run is told; the first one alone is slower than the rest."""


class TrainingProgress:
    """A bar over the whole run with the remaining time, each task's loss and its weight; plain lines off a terminal.

    After two steps it tells how long the whole run will take. If that is more than ``long_hours``, it
    also tells the ``alternative``.

    Args:
        loss: Loss with dictionaries ``task_losses`` and ``weights`` by task.
        alternative: How to get a short run, for the impatient; ``CONFIGS`` becomes the folder of the config
            file in the command line.
        long_hours: Hours from which a run is called long.
        line_seconds: Seconds between two plain lines.
    """

    def __init__(self, loss: Any, alternative: str = "", long_hours: float = 0.5, line_seconds: float = 30.0) -> None:
        self.loss = loss
        self.alternative = alternative
        self.long_hours = long_hours
        self.line_seconds = line_seconds
        self._bar: tqdm | None = None

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.COMPLETED, self._close)

    def _start(self, engine: Workflow) -> None:
        self._steps = engine.state.max_epochs * engine.state.epoch_length
        self._first, self._begun, self._told = engine.state.iteration, time.monotonic(), -math.inf
        self._bar = tqdm(total=self._steps, initial=self._first, desc="training", unit="step", disable=None)
        self._lines = self._bar.disable
        size = f"{engine.state.max_epochs} epochs of {engine.state.epoch_length} steps"
        logger.info("training: %s. Ctrl-C stops it and keeps the weights.", size)

    def _step(self, engine: Workflow) -> None:
        assert self._bar is not None  # noqa: S101  (attach order, not user input)
        done = engine.state.iteration - self._first
        now = time.monotonic()
        left = (self._steps - engine.state.iteration) * (now - self._begun) / done
        if done == ANNOUNCE_AFTER:
            self._announce(left)
        wait = self.line_seconds if self._lines else BAR_SECONDS
        last = engine.state.iteration == self._steps
        if done <= ANNOUNCE_AFTER or last or now - self._told >= wait:
            # Only here are losses read: a GPU would be waited for.
            self._told = now
            where = f"epoch {engine.state.epoch}/{engine.state.max_epochs}  loss {self._losses()}"
            self._bar.set_postfix_str(where, refresh=False)
            if self._lines:
                logger.info("step %d/%d  %s  %s left", engine.state.iteration, self._steps, where, duration(left))
        self._bar.update()

    def _losses(self) -> str:
        parts = [
            f"{task} {float(value):.4f} (x{float(self.loss.weights[task]):.3g})"
            for task, value in self.loss.task_losses.items()
        ]
        return "  ".join(parts) or "no label in this batch"

    def _announce(self, left: float) -> None:
        message = f"the whole run takes about {duration(left)} here"
        if left > self.long_hours * 3600 and self.alternative:
            folder = next((str(Path(file).parent) for file in option_values("config_file")), "configs")
            message += ". " + self.alternative.replace("CONFIGS", folder)
        self._say(message)

    def _say(self, message: str) -> None:
        with tqdm.external_write_mode():
            logger.info(message)

    def _close(self, engine: Workflow) -> None:
        if self._bar is not None:
            self._bar.close()


class ValidationSummary:
    """One line after each validation: every metric with its number of cases."""

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator.

        Raises:
            DataError: If it has no case: MONAI would skip it, and no checkpoint would ever be chosen.
        """
        if engine.state.epoch_length == 0:
            raise DataError(
                "no validation case, so no checkpoint could be chosen", fix="give some patients to validation"
            )
        engine.add_event_handler(Events.COMPLETED, self._tell)

    def _tell(self, engine: Workflow) -> None:
        parts = []
        for name, value in engine.state.metrics.items():
            detail = engine.state.metric_details.get(name, {})
            parts.append(f"{name} {value:.3f} (n={detail.get('n', '?')})" if not math.isnan(value) else f"{name} nan")
        best = engine.state.best_metric_epoch
        # The evaluator's epoch is the trainer's here: MONAI's ValidationHandler passes it on.
        mark = ", best so far" if best == engine.state.epoch else f", best was epoch {best}"
        with tqdm.external_write_mode():
            logger.info("validation, epoch %d: %s%s", engine.state.epoch, ", ".join(parts), mark)


def duration(seconds: float) -> str:
    """Readable length of time: ``3 days, 2 h``, ``2 h 5 min``, ``40 s``."""
    minutes, days = round(seconds / 60), timedelta(seconds=seconds).days
    if days:
        return f"{days} days, {int(seconds // 3600) % 24} h"
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if seconds >= 100 else f"{seconds:.0f} s"
