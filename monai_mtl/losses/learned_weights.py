"""Task losses whose weights are learned together with the network.

Kendall, Gal, Cipolla 2018, https://arxiv.org/abs/1705.07115, in the form of Liebel, Körner 2018,
https://arxiv.org/abs/1805.06334, which ACSNet uses.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, distributed, nn

from .multitask import MultiTaskLoss

__all__ = ["LearnedWeightsLoss"]


class LearnedWeightsLoss(MultiTaskLoss):
    r"""Sum over tasks t of a loss per task, each with a weight that training adjusts.

    .. math:: L = \sum_t \frac{1}{2 w_t^2} \ell_t(\hat y_t, y_t) + \ln(1 + w_t^2)

    Every :math:`w_t` starts at 1, where the total of two tasks is half their sum plus 2 ln 2. At a standstill a
    constant loss :math:`\ell` has :math:`2 w^4 = \ell (1 + w^2)`: a large loss gets a small weight. A task that is
    annotated nowhere in a batch adds nothing, its logarithm included, and its weight rests.

    The optimiser must be given :meth:`parameters` of this loss beside the network's (the authors decay both alike),
    and a checkpoint its state. Its task losses must not be negative. Where several processes train together, the
    gradients of :math:`w_t` are averaged over them, as those of the network are; there a task that is annotated in no
    batch of a step has a gradient of zero.

    Args:
        losses: Loss by task name, called as ``loss(logits, target)``.

    Raises:
        ValueError: If there is no task.
    """

    def __init__(self, losses: Mapping[str, nn.Module]) -> None:
        super().__init__(losses, dict.fromkeys(losses, 1.0))
        self.spreads = nn.ParameterDict({task: torch.ones(()) for task in losses})
        self._shared: dict[str, Tensor] = {}

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each task now, 1 / (2 w^2)."""
        return {task: 0.5 / float(spread.detach()) ** 2 for task, spread in self.spreads.items()}

    def weighted(self, task: str, value: Tensor) -> Tensor:
        """What a task adds to the total, its logarithm included.

        Args:
            task: Task name.
            value: Its loss, a scalar.
        """
        square = self._shared.get(task, self.spreads[task]).square()
        return 0.5 * value / square + torch.log1p(square)

    def forward(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Total loss of a batch.

        Args:
            prediction: As in :class:`MultiTaskLoss`: by task, ``(B, ...)``.
            target: As there, ``(B, ...)``.

        Returns:
            A scalar ``()``.
        """
        if not (distributed.is_available() and distributed.is_initialized()):
            return super().forward(prediction, target)
        # All in one tensor, which every batch reaches: processes wait for each other once, whatever is annotated.
        together = torch.stack(list(self.spreads.values()))
        if together.requires_grad:
            together.register_hook(_mean_of_processes)
        self._shared = dict(zip(self.spreads, together.unbind(), strict=True))
        try:
            return super().forward(prediction, target) + 0.0 * together.sum()
        finally:
            self._shared = {}


def _mean_of_processes(gradient: Tensor) -> Tensor:
    """Mean over the processes of a gradient, one number a task."""
    mean = gradient / distributed.get_world_size()
    distributed.all_reduce(mean)
    return mean
