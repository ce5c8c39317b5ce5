"""The same weights again: from any number of workers, and after any stop."""

from __future__ import annotations

import random
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow

from ..data.case_dataset import derived_seed

__all__ = ["Reseed"]


class Reseed:
    """Seeds every source of chance from the run's seed and the epoch, and dropout from the step as well.

    What workers drew, and whether the run was stopped and resumed, then changes nothing. On a CPU the weights are
    equal bit by bit as long as the number of threads is the same.

    Args:
        seed: Of the run.
        dataset: The training set, with ``set_epoch`` as :class:`monai_mtl.data.CaseDataset` has it.
    """

    def __init__(self, seed: int, dataset: Any) -> None:
        self.seed, self.dataset = seed, dataset

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._epoch)
        engine.add_event_handler(Events.ITERATION_STARTED, self._step)

    def _epoch(self, engine: Workflow) -> None:
        value = derived_seed(self.seed, engine.state.epoch)
        random.seed(value)
        np.random.seed(value)  # noqa: NPY002  (code that draws from the global generator exists)
        torch.manual_seed(value)
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(engine.state.epoch)

    def _step(self, engine: Workflow) -> None:
        # After the batch was loaded: without workers, its transforms may have drawn from torch's generator.
        torch.manual_seed(derived_seed(self.seed, engine.state.epoch, engine.state.iteration, idist.get_rank()))
