"""Jaccard distance with the constant that makes it smooth and scales it.

The form is the one in wide use with the constant 100. Song et al. 2020 name both; their equation was not seen.
"""

from torch import Tensor

__all__ = ["jaccard_distance"]


def jaccard_distance(probability: Tensor, target: Tensor, delta: float = 100.0) -> Tensor:
    r"""Distance of each mask.

    .. math:: \delta \left(1 - \frac{I + \delta}{U + \delta}\right), \quad I = \sum p\,t, \; U = \sum p + t - p\,t

    Equal masks cost 0; masks apart cost :math:`\delta U / (U + \delta)`.

    Args:
        probability: ``(..., H, W)`` in [0, 1].
        target: ``(..., H, W)``, 0 or 1.
        delta: In pixels, > 0.

    Returns:
        ``(...)``.
    """
    both = (probability * target).sum(dim=(-2, -1))
    either = (probability + target).sum(dim=(-2, -1)) - both
    return delta * (1 - (both + delta) / (either + delta))
