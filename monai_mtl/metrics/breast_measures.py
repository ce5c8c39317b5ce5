"""Figures of breasts: the views of one breast answer together, by the most suspicious of them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from .case_scores import CaseTable
from .image_measures import one_class, roc_auc
from .measure import Measured

__all__ = ["NO_SIDE", "auc_breast", "breast_name", "strongest"]

NO_SIDE = "no case says which breast it shows"


def breast_name(case_id: str, patient_id: str, laterality: str) -> str:
    """Name of the breast that an image shows: the same for all its views.

    An image without patient or side stands for a breast of its own.

    >>> breast_name("a", "P1", "L") == breast_name("b", "P1", "L") != breast_name("c", "P1", "R")
    True
    """
    return f"breast {laterality} {patient_id}" if patient_id and laterality else f"case {case_id}"


def strongest(groups: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
    """Largest value of each group in each column.

    Args:
        groups: Numbers of the groups ``(N,)``.
        columns: Values ``(N,)``.
    """
    _, place = np.unique(groups, return_inverse=True)
    found = [np.full(place.max(initial=-1) + 1, -np.inf) for _ in columns]
    for largest, values in zip(found, columns, strict=True):
        with np.errstate(invalid="ignore"):  # what is not finite stays so, and whoever asked refuses it
            np.maximum.at(largest, place, values)
    return found


def auc_breast(t: CaseTable) -> Measured:
    """Area under the ROC curve of breasts: probability and label are the largest of its labelled images."""
    known = t.take(np.flatnonzero(~np.isnan(t.label)))
    if not len(known):
        return Measured(math.nan, 0, "no case has a label")
    rows = zip(known.case_id, known.patient_id, known.laterality, strict=True)
    names = np.array([breast_name(*row) for row in rows])
    if all(name.startswith("case ") for name in names):
        return Measured(math.nan, 0, NO_SIDE)
    y, p = strongest(_copies(names, known.case_id), known.label, known.probability)
    y = y.astype(int)
    reason = one_class(y, p)
    return Measured(math.nan, len(y), reason) if reason else Measured(float(roc_auc(y, p)), len(y))


def _copies(names: np.ndarray, case_id: np.ndarray) -> np.ndarray:
    """Numbers of the breasts; of a patient drawn twice for an interval, with all cases each time, they are others."""
    numbers: dict[tuple[str, int], int] = {}
    drawn: Counter[str] = Counter()
    found = []
    for name, case in zip(names.tolist(), case_id.tolist(), strict=True):
        found.append(numbers.setdefault((name, drawn[case]), len(numbers)))
        drawn[case] += 1
    return np.array(found)
