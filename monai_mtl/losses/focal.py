"""Focal loss on probabilities given as logarithms, so that a softmax, a sum of its classes and a sigmoid can use it.

Lin et al. 2017, https://arxiv.org/abs/1708.02002.
"""

import torch
from torch import Tensor

__all__ = ["focal_cost"]


def focal_cost(log_p: Tensor, foreground: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    r"""Cost of each answer.

    .. math:: -a\,(1 - p)^\gamma \ln p, \quad a = \alpha \text{ for foreground, } 1 - \alpha \text{ for background}

    ``gamma`` 0 with ``alpha`` 0.5 is half the cross entropy; a certain right answer costs 0.

    Args:
        log_p: Logarithm of the probability of the right answer, any shape.
        foreground: Whether the right answer is foreground, the same shape.
        alpha: Weight of foreground, in [0, 1].
        gamma: How fast a right answer stops to count, >= 0.

    Returns:
        The same shape.
    """
    weight = torch.where(foreground, alpha, 1 - alpha)
    return -weight * (-torch.expm1(log_p)).clamp(min=0) ** gamma * log_p
