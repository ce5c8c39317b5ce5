"""Stops a training before something that is not a number reaches its weights."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import IterationEvents, Workflow
from torch import nn

from ..errors import RunError

__all__ = ["FiniteGradients"]


class FiniteGradients:
    """Looks at all gradients after the backward pass and stops before a step with nan or infinity.

    Images are looked at earlier, by :class:`monai_mtl.engines.PrepareMultiTaskBatch`. With a gradient scaler
    (``precision`` fp16) infinity is its signal to skip the step, so only a loss that is not finite stops then.

    Args:
        network: Network.
        optimizer: Whose gradients count; ``None`` counts all of the network.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        self.network, self.optimizer = network, optimizer

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._loss)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._gradients)

    def _loss(self, engine: Workflow) -> None:
        if engine.amp and not bool(torch.isfinite(engine.state.output["loss"])):
            self._stop(engine, "the loss is not finite")

    def _gradients(self, engine: Workflow) -> None:
        if engine.amp:
            return
        groups = self.optimizer.param_groups if self.optimizer else [{"params": list(self.network.parameters())}]
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        # One number for all, so that a GPU is waited for once.
        if gradients and not bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients))):
            bad = [n for n, p in self.network.named_parameters() if p.grad is not None and not _finite(p.grad)]
            self._stop(engine, f"{len(bad)} gradients are not finite, the first in {bad[0]}" if bad else "overflow")

    def _stop(self, engine: Workflow, what: str) -> None:
        names = [str(name) for name in engine.state.batch.get("case_id", [])]
        where = f"epoch {engine.state.epoch}, step {engine.state.iteration}: {what}; the step was not taken"
        raise RunError(where, names, fix="look at these cases, or lower the learning rate")


def _finite(value: Any) -> bool:
    return bool(torch.isfinite(value).all())
