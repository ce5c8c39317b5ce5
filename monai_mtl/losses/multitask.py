"""One loss a task, summed: the plain form of multi-task learning.

Shapes: B batch, K classes, H W space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

__all__ = ["MultiTaskLoss"]


class MultiTaskLoss(nn.Module):
    r"""Weighted sum over tasks t of a loss per task.

    .. math:: L = \sum_t w_t\, \ell_t(\hat y_t, y_t)

    A task averages over the samples that are annotated for it; a batch without any contributes exactly
    zero, and parameters of that task alone get no gradient, so that weight decay does not wear them down.
    One task with a weight of one is that task's loss; with weights of one it is the plain sum.

    Y-Net's first stage names ``seg`` alone, its second stage ``seg`` and ``cls`` with weights of one; the
    paper states no coefficient. FCN with S-Net and C-Net weighs ``seg`` by lambda and ``cls`` by one; ``seg`` alone and
    then ``cls`` alone is its sequential training.

    Args:
        losses: Loss by task name, called as ``loss(logits, target)``.
        weights: Weight by task name, >= 0.

    Raises:
        ValueError: If the task names differ or a weight is negative.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if set(losses) != set(weights) or not losses:
            raise ValueError(f"losses and weights name different tasks: {[sorted(losses), sorted(weights)]}")
        if min(weights.values()) < 0:
            raise ValueError(f"weights must be >= 0, got {dict(weights)}")
        self.losses = nn.ModuleDict(losses)
        self._weights = dict(weights)
        self.task_losses: dict[str, Tensor] = {}
        """Last value of each task, before the task weight, without gradient; only annotated tasks."""

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each task."""
        return dict(self._weights)

    def weighted(self, task: str, value: Tensor) -> Tensor:
        """What a task adds to the total.

        Args:
            task: Task name.
            value: Its loss, a scalar.
        """
        return self._weights[task] * value

    def forward(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Total loss of a batch.

        Args:
            prediction: By task name, logits ``(B, K, H, W)`` or ``(B, K)``.
            target: By task name, ``(B, 1, H, W)`` or ``(B,)`` class indices, and ``has_<task>`` ``(B,)``,
                true where a sample is annotated (absent means all are).

        Returns:
            A scalar.
        """
        total = torch.zeros((), device=next(iter(prediction.values())).device)
        self.task_losses, resting = {}, []
        for task, loss in self.losses.items():
            logits, truth = prediction[task], target[task]
            truth = truth.squeeze(1).long() if truth.ndim > 1 else truth.long()
            has = target.get(f"has_{task}")
            if has is not None and not bool(has.all()):
                has = has.to(device=logits.device, dtype=torch.bool)
                logits, truth = logits[has], truth[has]
            if truth.shape[0] == 0:
                resting.append(logits)
                continue
            value = loss(logits, truth)
            self.task_losses[task] = value.detach()
            total = total + self.weighted(task, value)
        return total if self.task_losses and not in_several_processes() else keep_in_graph(total, resting)


def in_several_processes() -> bool:
    """Whether a gradient is averaged over processes, each of which must then have one for every parameter."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def keep_in_graph(total: Tensor, resting: Sequence[Tensor]) -> Tensor:
    """The same total, with gradients of zero for what these outputs come from.

    Args:
        total: A scalar.
        resting: Outputs of tasks without a label in this batch.
    """
    return total + sum(0.0 * output.sum() for output in resting)
