"""A training in phases, each of which learns some of the network, and steps no longer than a limit."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow
from torch import nn

from ..errors import ConfigError

__all__ = ["ClipGradients", "TrainingPhases"]

logger = logging.getLogger("monai_mtl")


class TrainingPhases:
    """Freezes parts of a network, and scales the learning rate, phase by phase.

    The phase follows from the epoch alone, so a resumed training is in the right one; the last lasts to the end. A
    learning rate is the optimiser's own times the phase's, so no other schedule may change it. Frozen parameters
    get no gradient and no step; in several processes each must be told to look for such parameters.

    Args:
        network: Network.
        optimizer: Optimiser of all its parameters.
        phases: Each with ``epochs``, how many, ``frozen``, the beginnings of names of parameters that rest (none if
            left out), and ``lr_factor`` (1 if left out).

    Raises:
        ConfigError: If there is no phase, a key is unknown or missing, a number is out of its range, or a beginning
            fits no parameter.
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, phases: Sequence[Mapping[str, Any]]
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.phases = [{"frozen": (), "lr_factor": 1.0, **phase} for phase in phases]
        names = [name for name, _ in self._parameters()]
        wrong = []
        for i, phase in enumerate(self.phases, 1):
            if set(phase) != {"epochs", "frozen", "lr_factor"} or phase["epochs"] < 1 or phase["lr_factor"] <= 0:
                wrong.append(f"phase {i}: {dict(phases[i - 1])}")
            wrong += [
                f"phase {i}: no parameter begins with '{part}'"
                for part in phase["frozen"]
                if not any(name.startswith(part) for name in names)
            ]
        if wrong or not self.phases:
            expected = "phases with epochs >= 1, frozen (beginnings of parameters' names) and lr_factor > 0"
            raise ConfigError("the phases of the training do not fit", wrong, expected=expected)
        self._current = -1

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)

    def phase(self, epoch: int) -> int:
        """Which phase an epoch, from 1, belongs to, from 0."""
        end = 0
        for i, phase in enumerate(self.phases):
            end += phase["epochs"]
            if epoch <= end:
                return i
        return len(self.phases) - 1

    def _begin(self, engine: Workflow) -> None:
        number = self.phase(engine.state.epoch)
        if number == self._current:
            return
        self._current, phase = number, self.phases[number]
        frozen = tuple(phase["frozen"])
        learnt = 0
        for name, parameter in self._parameters():
            parameter.requires_grad_(not name.startswith(frozen) if frozen else True)
            learnt += parameter.numel() * parameter.requires_grad
        for group in self.optimizer.param_groups:
            # As PyTorch's schedules call it; it is kept in checkpoints.
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * phase["lr_factor"]
        what = f"{learnt:,} parameters, learning rate {self.optimizer.param_groups[0]['lr']:.3g}"
        logger.info("phase %d of %d from epoch %d: %s", number + 1, len(self.phases), engine.state.epoch, what)

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return list(getattr(self.network, "module", self.network).named_parameters())


class ClipGradients:
    """Shortens the gradient of a step to a largest norm.

    It acts right before the optimiser's step, behind accumulation and behind a gradient scaler.

    Args:
        optimizer: Whose parameters' gradients count, together.
        max_norm: Largest Euclidean norm, > 0.

    Raises:
        ConfigError: If ``max_norm`` is not above 0.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, max_norm: float) -> None:
        if max_norm <= 0:
            raise ConfigError(f"max_norm must be above 0, got {max_norm}")
        self.optimizer, self.max_norm = optimizer, max_norm

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer.

        Raises:
            ConfigError: If the optimiser would undo a gradient scaler itself, behind this handler.
        """
        if engine.amp and getattr(self.optimizer, "_step_supports_amp_scaling", False):
            raise ConfigError("gradients cannot be clipped before a fused step in fp16", fix="set fused to false")
        self.optimizer.register_step_pre_hook(self._clip)

    def _clip(self, *_: Any) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.max_norm)
