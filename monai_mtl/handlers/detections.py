"""How many images nothing was found in."""

from __future__ import annotations

import logging

from ignite.engine import Events
from monai.engines import Workflow

__all__ = ["DetectionCount"]

logger = logging.getLogger("monai_mtl")


class DetectionCount:
    """Tells after a run in how many images the network found nothing: empty masks and probabilities of 0.

    Args:
        key: Box and score ``(5,)`` of the best detection in a case's output, the score 0 if there is none.
    """

    def __init__(self, key: str = "det") -> None:
        self.key = key
        self._images = self._empty = 0

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.COMPLETED, self._tell)

    def _start(self, engine: Workflow) -> None:
        self._images = self._empty = 0

    def _count(self, engine: Workflow) -> None:
        scores = [float(case[self.key][4]) for case in engine.state.output]
        self._images += len(scores)
        self._empty += sum(score == 0 for score in scores)

    def _tell(self, engine: Workflow) -> None:
        if self._empty:
            message = "nothing was found in %d of %d images: mask empty, probability 0"
            logger.warning(message, self._empty, self._images)
        else:
            logger.info("something was found in each of %d images", self._images)
