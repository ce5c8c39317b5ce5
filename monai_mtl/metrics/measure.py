"""What a figure of a table of cases is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .case_scores import CaseTable

__all__ = ["Measure", "Measured", "mean", "ratio"]


@dataclass(frozen=True)
class Measured:
    """A figure, the number of cases that it stands on, and why it is nan if it is."""

    value: float
    n: int
    reason: str = ""


@dataclass(frozen=True)
class Measure:
    """A named rule.

    Args:
        compute: From a table.
        what: One line for tables and cards.
        better: ``"higher"`` or ``"lower"``.
    """

    compute: Callable[[CaseTable], Measured]
    what: str
    better: str = "higher"


def mean(values: np.ndarray, reason: str) -> Measured:
    """Mean of the values that are not nan; ``reason`` if there is none."""
    known = values[~np.isnan(values)]
    return Measured(float(known.mean()), len(known)) if len(known) else Measured(math.nan, 0, reason)


def ratio(above: float, below: float, n: int, reason: str) -> Measured:
    """``above / below``; ``reason`` if that is divided by 0."""
    return Measured(float(above / below), n) if below else Measured(math.nan, n, reason)
