"""Weights to and from files: whole or not at all, and without pickled code."""

from __future__ import annotations

import logging
import math
import os
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
from ignite.metrics import Metric
from monai.config import PathLike
from monai.engines import Workflow
from torch import nn

from ..bundle.explain import fix_of
from ..bundle.settings import did_you_mean
from ..errors import ConfigError, RunError
from ..metrics.comparison import nan_is_worst

__all__ = ["SaveBest", "best_saved", "write_checkpoint"]

logger = logging.getLogger("monai_mtl")


def write_checkpoint(
    path: PathLike,
    objects: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write the states of ``objects`` so that ``path`` always holds the old file or the whole new one.

    Args:
        path: File to write; its folder is made.
        objects: Anything with ``state_dict``, by name. A distributed wrapper is left out.
        settings: Plain values that the weights depend on, stored under ``settings``.
        extra: More plain values, by the name they are stored under.

    Raises:
        RunError: If a weight is not finite or the file cannot be written; the old file is then as it was.
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
        try:
            _replace(Path(path), {**states, **dict(extra or {}), "settings": dict(settings or {})})
        except (OSError, RuntimeError) as error:
            # torch reports a full disk as a RuntimeError of its archive writer.
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise RunError(f"{path} could not be written: {reason}", fix=fix_of(error)) from error


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

    While the metric has been nan in every validation (no lesion among the cases, say), the ``fallback`` chooses; the
    first number that the metric takes is then better than all before.

    Args:
        path: File, holding ``{"model": state_dict, "settings": ...}``.
        network: Network.
        metric: Name of the metric, larger being better; ``None`` is the evaluator's key metric.
        settings: What :class:`WeightsLoader` compares, such as the image size.
        fallback: Name of another metric.
    """

    def __init__(
        self,
        path: PathLike,
        network: nn.Module,
        metric: str | None = None,
        settings: Mapping[str, Any] | None = None,
        fallback: str | None = None,
    ) -> None:
        self.path, self.network, self.metric, self.settings = Path(path), network, metric, settings
        self.fallback = fallback

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator, whose state remembers what was best.

        Raises:
            ConfigError: If it computes no such metric.
        """
        known = _metrics_of(engine)
        for wanted in (self.metric, self.fallback):
            if wanted is not None and wanted not in known:
                fix = did_you_mean(wanted, known) or "name one of these"
                what = f"there is no metric '{wanted}' by which to keep {self.path.name}"
                raise ConfigError(what, expected=", ".join(known), fix=fix)
        engine.add_event_handler(Events.COMPLETED, self._save)

    def _save(self, engine: Workflow) -> None:
        metrics = engine.state.metrics
        name = self.metric or engine.state.key_metric_name
        second = float(metrics[self.fallback]) if self.fallback else math.nan
        scores = [float(metrics[name]), second]
        if self.fallback and math.isnan(scores[0]):
            logger.warning("%s is nan; meanwhile %s chooses %s", name, self.fallback, self.path.name)
        best = best_saved(engine).get(self.path.name, [math.nan, math.nan])
        if _at_least(scores, best):
            write_checkpoint(self.path, {"model": self.network}, self.settings)
            best_saved(engine)[self.path.name] = scores


def _metrics_of(engine: Workflow) -> list[str]:
    """Names of the metrics that an evaluator will compute, which ignite keeps with its handlers alone."""
    handlers = engine._event_handlers.get(Events.EPOCH_COMPLETED, [])
    return [args[-1] for handler, args, _ in handlers if isinstance(getattr(handler, "__self__", None), Metric)]


def best_saved(engine: Workflow) -> dict[str, list[float]]:
    """By file name, the metric and its fallback that :class:`SaveBest` last kept, in the evaluator's state."""
    if not hasattr(engine.state, "best_saved"):
        engine.state.best_saved = {}
    return engine.state.best_saved


def _at_least(scores: list[float], best: list[float]) -> bool:
    numbers = [not math.isnan(value[0]) for value in (scores, best)]
    if numbers == [False, False]:
        return nan_is_worst(scores[1], best[1])
    return numbers[0] and nan_is_worst(scores[0], best[0])
