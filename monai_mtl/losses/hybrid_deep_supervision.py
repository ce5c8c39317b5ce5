"""Hybrid deep supervision: every level of a decoder learns both tasks, coarse levels ever less.

Zhang, Zhang, Chung 2018, https://arxiv.org/abs/1808.01646.
Shapes: L levels (last one is the main output), B batch, K classes, H W space, h w positions of the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .multitask import in_several_processes, keep_in_graph

__all__ = ["HybridDeepSupervisionLoss"]


class HybridDeepSupervisionLoss(nn.Module):
    r"""Weighted sum over tasks t and levels i of a loss per task.

    .. math:: L = \sum_t w_t \sum_i a_i\, d_t^{\,(e-1)/E\,[i < L-1]}\, \ell_t(\hat y_{t,i}, y_t)

    ``a`` are the level weights, ``w`` the task weights, ``d`` the decay that all levels but the main
    one reach at the end of ``E`` epochs. The multiplier is computed from :attr:`epoch`, so a resumed run
    continues it. A task averages over the samples that are annotated for it; a batch without any
    contributes exactly zero and no gradient. One level with weights of one is the plain sum of the task losses; a decay
    of one keeps the level weights constant.

    Args:
        losses: Loss of one level by task name, called as ``loss(logits, target)``.
        weights: Weight by task name (the paper's alpha is the weight of ``cls``).
        level_weights: Weight of each level, coarsest first. A network with fewer levels uses the last.
        final_decay: Factor in (0, 1] by task name that the weights of the levels below the main one
            reach after the last epoch. The paper writes 0.005 for both tasks, the authors' code 0.05
            for the class.
        max_epochs: Length ``E`` of the whole training.

    Raises:
        ValueError: If the task names differ or a number is out of its range.
    """

    def __init__(
        self,
        losses: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        level_weights: Sequence[float],
        final_decay: Mapping[str, float],
        max_epochs: int,
    ) -> None:
        super().__init__()
        if not set(losses) == set(weights) == set(final_decay):
            names = [sorted(group) for group in (losses, weights, final_decay)]
            raise ValueError(f"losses, weights and final_decay name different tasks: {names}")
        if min(*weights.values(), *level_weights) < 0:
            raise ValueError(f"weights must be >= 0, got {weights} and {level_weights}")
        if not all(0 < factor <= 1 for factor in final_decay.values()):
            raise ValueError(f"final_decay must be in (0, 1], got {final_decay}")
        if max_epochs < 1:
            raise ValueError(f"max_epochs must be >= 1, got {max_epochs}")
        self.losses = nn.ModuleDict(losses)
        self.weights = dict(weights)
        self.level_weights = tuple(level_weights)
        self.final_decay = dict(final_decay)
        self.max_epochs = max_epochs
        self.epoch = 1
        """Current epoch, from 1; set by :class:`monai_mtl.handlers.LossEpoch`."""
        self.task_losses: dict[str, Tensor] = {}
        """Last value of each task, before the task weight, without gradient; only annotated tasks."""

    def current_level_weights(self, task: str, levels: int) -> list[float]:
        """Weights of ``levels`` levels in the current epoch.

        Args:
            task: Task name.
            levels: Number of levels that the network has.

        Raises:
            ValueError: If there are more levels than weights.
        """
        if levels > len(self.level_weights):
            raise ValueError(f"the network has {levels} levels, level_weights only {len(self.level_weights)}")
        decay = self.final_decay[task] ** ((self.epoch - 1) / self.max_epochs)
        *coarse, main = self.level_weights[-levels:]
        return [weight * decay for weight in coarse] + [main]

    def forward(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Total loss of a batch.

        Args:
            prediction: ``<task>_levels`` for each task: ``(L, B, K, H, W)`` or ``(L, B, K, h, w)``.
            target: By task name, ``(B, 1, H, W)`` or ``(B,)`` class indices, and ``has_<task>`` ``(B,)``,
                true where a sample is annotated (absent means all are).

        Returns:
            A scalar.
        """
        total = torch.zeros((), device=next(iter(prediction.values())).device)
        self.task_losses, resting = {}, []
        for task, loss in self.losses.items():
            levels, truth = prediction[f"{task}_levels"], target[task]
            truth = truth.squeeze(1).long() if truth.ndim > 1 else truth.long()
            has = target.get(f"has_{task}")
            if has is not None and not bool(has.all()):
                has = has.to(device=levels.device, dtype=torch.bool)
                levels, truth = levels[:, has], truth[has]
            if truth.shape[0] == 0:
                resting.append(levels)
                continue
            weights = self.current_level_weights(task, len(levels))
            value = torch.stack([a * loss(logits, truth) for a, logits in zip(weights, levels, strict=True)]).sum()
            self.task_losses[task] = value.detach()
            total = total + self.weights[task] * value
        return total if self.task_losses and not in_several_processes() else keep_in_graph(total, resting)
