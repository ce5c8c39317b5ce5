"""How two ways compare that were timed in turns: round by round, so that a busy machine disturbs both alike."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["median_ratio"]


def median_ratio(seconds: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Median and quartiles of one way's seconds over the other's in the same round.

    Args:
        seconds: By round.
        others: The same rounds.
    """
    ratios = sorted(one / other for one, other in zip(seconds, others, strict=True))
    return {
        "median_ratio": statistics.median(ratios),
        "lower_quartile": ratios[len(ratios) // 4],
        "upper_quartile": ratios[-1 - len(ratios) // 4],
    }
