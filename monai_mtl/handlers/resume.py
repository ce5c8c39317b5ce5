"""The state of a training, so that a stopped one can go on as if it had not been stopped."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow

from ..bundle.occupied_folder import OccupiedFolder
from ..bundle.weights import read_tensors
from ..errors import ConfigError
from .checkpoint import best_saved, write_checkpoint

__all__ = ["SaveLast"]

logger = logging.getLogger("monai_mtl")

VALIDATION = ("best_metric", "best_metric_epoch")


class SaveLast:
    """Keeps the whole state in one file after every epoch, and with ``resume`` goes on from it.

    Network, optimiser, schedule, the trainer's epoch and what the validations found best are kept. With
    :class:`Reseed` and one number of threads, a training that was killed at any moment and resumed ends with
    the weights of an undisturbed one. Ctrl-C in the first epoch keeps the weights so far, from which inference
    can start, but no training goes on.

    While it runs, a second training into the same folder is refused.

    In a list of handlers it stands after those that validate and change the learning rate, and before those
    that look at the weights or the epoch when a training starts.

    Args:
        path: File.
        objects: Network (as ``model``), optimiser and schedule by name.
        settings: As in :class:`SaveBest`.
        evaluator: Whose best metrics are kept too.
        identity: Plain values that a resumed training must share with the stopped one.
        resume: Whether to go on from the file. Without a file the training begins at its beginning.
    """

    def __init__(
        self,
        path: PathLike,
        objects: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        evaluator: Workflow | None = None,
        identity: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.path, self.objects, self.settings, self.evaluator = Path(path), dict(objects), settings, evaluator
        self.identity = json.loads(json.dumps(dict(identity or {})))
        self.resume = resume
        self._kept = 0
        self._folder = OccupiedFolder(self.path.parent)

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.STARTED, self._folder.take)
        if self.resume:
            engine.add_event_handler(Events.STARTED, self._load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)
        engine.add_event_handler(Events.COMPLETED, self._folder.leave)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._interrupted)

    def _save(self, engine: Workflow, epochs: int | None = None) -> None:
        objects = dict(self.objects)
        if getattr(engine, "scaler", None) is not None:
            objects["scaler"] = engine.scaler
        done = engine.state.epoch if epochs is None else epochs
        extra: dict[str, Any] = {"trainer": {"epoch": done, "steps": engine.state.iteration}, "identity": self.identity}
        if self.evaluator is not None:
            state = self.evaluator.state
            extra["validation"] = {name: getattr(state, name, None) for name in VALIDATION}
            extra["validation"]["best_saved"] = dict(best_saved(self.evaluator))
        write_checkpoint(self.path, objects, self.settings, extra)
        self._kept = done

    def _interrupted(self, engine: Workflow, error: BaseException) -> None:
        # After a fault the weights may be spoilt, so only a person's stop is worth a file.
        if isinstance(error, KeyboardInterrupt) and engine.state.iteration > 0:
            if self._kept:
                what = f"the state after epoch {self._kept} is in {self.path}; --resume true goes on from it"
            else:
                self._save(engine, epochs=0)
                what = f"the weights so far are in {self.path}"
            logger.info("stopped in epoch %d; %s", engine.state.epoch, what)
        self._folder.leave()
        raise error

    def _load(self, engine: Workflow) -> None:
        if not self.path.is_file():
            logger.info("nothing to resume at %s: the training begins", self.path)
            return
        content = read_tensors(self.path)
        if not isinstance(content, dict) or "trainer" not in content or "identity" not in content:
            raise ConfigError(f"{self.path} holds no training to resume", fix="train without --resume")
        then, now = content["identity"], self.identity
        other = [
            f"{name}: {then.get(name, 'not there')} then, {now.get(name, 'not there')} now"
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        ]
        if other:
            fix = "use the settings and data of then, or train without --resume"
            raise ConfigError(f"{self.path} is of a training with other settings", other, fix=fix)
        epoch = content["trainer"]["epoch"]
        if epoch == 0:
            logger.info("%s was stopped in its first epoch: the training begins", self.path)
            return
        for name, obj in self.objects.items():
            getattr(obj, "module", obj).load_state_dict(content[name])
        scaler = getattr(engine, "scaler", None)
        if scaler is not None and "scaler" in content:
            scaler.load_state_dict(content["scaler"])
        if self.evaluator is not None and "validation" in content:
            for name in VALIDATION:
                setattr(self.evaluator.state, name, content["validation"][name])
            best_saved(self.evaluator).update(content["validation"]["best_saved"])
        engine.state.epoch, engine.state.iteration = epoch, content["trainer"]["steps"]
        self._kept = epoch
        logger.info("resumed after epoch %d of %d", epoch, engine.state.max_epochs)
