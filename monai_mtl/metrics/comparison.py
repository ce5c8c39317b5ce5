"""When a validation result is better."""

from __future__ import annotations

import math

__all__ = ["nan_is_worst"]


def nan_is_worst(current: float, best: float) -> bool:
    """Whether ``current`` is at least as good as ``best``, larger being better and nan worse than any number.

    Ties go to the later epoch, as in the HDS authors' code. The ``metric_cmp_fn`` of MONAI's evaluator,
    whose default keeps a nan of the first epoch for ever.
    """
    return math.isnan(best) or current >= best
