"""Weights to and from files: whole or not at all, and without pickled code."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow
from torch import nn

from ..errors import ConfigError, MissingError, RunError
from ..metrics.comparison import nan_is_worst

__all__ = ["SaveBest", "SaveLast", "WeightsLoader", "write_checkpoint"]

logger = logging.getLogger("monai_mtl")


def write_checkpoint(path: PathLike, objects: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> None:
    """Write the states of ``objects`` so that ``path`` always holds the old file or the whole new one.

    Args:
        path: File to write; its folder is made.
        objects: Anything with ``state_dict``, by name. A distributed wrapper is left out.
        settings: Plain values that the weights depend on, stored under ``settings``.

    Raises:
        RunError: If a weight is not finite; nothing is written.
    """
    states = {name: getattr(obj, "module", obj).state_dict() for name, obj in objects.items()}
    for name, obj in objects.items():
        if isinstance(obj, nn.Module):
            bad = [k for k, v in states[name].items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
            if bad:
                raise RunError(f"{path} not written: weights are not finite", bad, fix="lower the learning rate")
    if idist.get_rank() != 0:
        return
    with _ctrl_c_waits():
        _replace(Path(path), {**states, "settings": dict(settings or {})})


def _replace(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Let the block finish before KeyboardInterrupt is raised; torch.save turns it into another error."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


class SaveBest:
    """Keeps the weights of the best validation in one file; nan is worse than any number, ties are later.

    Args:
        path: File, holding ``{"model": state_dict, "settings": ...}``.
        network: Network.
        metric: Name of the metric, larger being better; ``None`` is the evaluator's key metric.
        settings: What :class:`WeightsLoader` compares, such as the image size.
    """

    def __init__(
        self,
        path: PathLike,
        network: nn.Module,
        metric: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.network, self.metric, self.settings = Path(path), network, metric, settings
        self.best: float | None = None

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator."""
        engine.add_event_handler(Events.COMPLETED, self._save)

    def _save(self, engine: Workflow) -> None:
        value = float(engine.state.metrics[self.metric or engine.state.key_metric_name])
        if self.best is None or nan_is_worst(value, self.best):
            write_checkpoint(self.path, {"model": self.network}, self.settings)
            self.best = value


class SaveLast:
    """Keeps network, optimiser, schedule and trainer in one file: every few epochs, at the end and on Ctrl-C.

    Args:
        path: File.
        objects: Network (as ``model``), optimiser and schedule by name; the ``trainer`` is added.
        every: Epochs between two saves.
        settings: As in :class:`SaveBest`.
    """

    def __init__(
        self, path: PathLike, objects: Mapping[str, Any], every: int = 1, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.path, self.objects, self.every, self.settings = Path(path), dict(objects), every, settings

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.every), self._save)
        engine.add_event_handler(Events.COMPLETED, self._save)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._interrupted)

    def _save(self, engine: Workflow) -> None:
        write_checkpoint(self.path, {**self.objects, "trainer": engine}, self.settings)

    def _interrupted(self, engine: Workflow, error: BaseException) -> None:
        # After a fault the weights may be spoilt, so only a person's stop is worth a file.
        if isinstance(error, KeyboardInterrupt) and engine.state.iteration > 0:
            self._save(engine)
            logger.info("stopped in epoch %d; weights and state kept in %s", engine.state.epoch, self.path)
        raise error


class WeightsLoader:
    """Loads a network's weights when the run starts, strictly and without running code from the file.

    Args:
        path: ``{"model": state_dict, ...}`` or a bare state dict.
        network: Network.
        fix: What to tell a user who has no such file.
        settings: Values that must equal those stored with the weights, where the file holds them.

    Raises:
        MissingError: If there is no such file.
    """

    def __init__(
        self,
        path: PathLike,
        network: nn.Module,
        fix: str = "train first, or name another file",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.network, self.settings = Path(path), network, dict(settings or {})
        if not self.path.is_file():
            raise MissingError(f"no weights at {self.path}", fix=fix)

    def attach(self, engine: Workflow) -> None:
        """Load when the engine starts."""
        engine.add_event_handler(Events.STARTED, self._load)

    def _load(self, engine: Workflow) -> None:
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
            raise ConfigError(f"{self.path} holds no weights: {str(error)[:200]}", fix="name another file") from error
        state = content.get("model", content) if isinstance(content, dict) else None
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ConfigError(f"{self.path} holds no weights by name", fix="name another file")
        network = getattr(self.network, "module", self.network)
        expected = network.state_dict()
        wrong = [f"missing {k}" for k in expected if k not in state]
        wrong += [f"unknown {k}" for k in state if k not in expected]
        wrong += [
            f"{k}: {tuple(state[k].shape)}, network {tuple(v.shape)}"
            for k, v in expected.items()
            if k in state and state[k].shape != v.shape
        ]
        if wrong:
            fix = "use the network_def it was trained with"
            raise ConfigError(f"{self.path} belongs to another network", wrong, fix=fix)
        stored = content.get("settings", {})
        for name, value in self.settings.items():
            if name in stored and stored[name] != value:
                raise ConfigError(
                    f"{self.path} was trained with {name} {stored[name]}, this run has {value}",
                    fix=f'--{name} "{stored[name]}"',
                )
        network.load_state_dict(state)
