"""Figures of the image's class; an interval takes each a thousand times, so they are written out here.

Tests hold them equal to scikit-learn's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from .case_scores import CaseTable
from .measure import Measured, ratio

__all__ = ["BINS", "auc_or_one", "calibration_bins", "calibration_error", "classified", "neither", "no_negative"]
__all__ += ["macro_recall", "no_positive", "none_predicted", "of_counts", "one_class", "roc_auc", "weighted_f1"]
__all__ += ["weighted_precision"]

BINS = 10
Rule = Callable[[np.ndarray, np.ndarray], float]
"""Of true classes and probabilities of class 1."""
Undefined = Callable[[np.ndarray, np.ndarray], str]
"""Why a rule has no answer, or nothing."""


def classified(
    rule: Rule,
    undefined: Undefined = lambda y, p: "",
) -> Callable[[CaseTable], Measured]:
    """Measure of labels and probabilities; ``undefined`` says why it is nan, if it is."""

    def compute(t: CaseTable) -> Measured:
        """Of the labelled cases."""
        known = ~np.isnan(t.label)
        y, p = t.label[known].astype(int), t.probability[known]
        if not len(y):
            return Measured(math.nan, 0, "no case has a label")
        if reason := undefined(y, p):
            return Measured(math.nan, len(y), reason)
        return Measured(float(rule(y, p)), len(y))

    return compute


def one_class(y: np.ndarray, p: np.ndarray) -> str:
    """Whether only one class occurs."""
    positive = int(y.sum())
    return f"one class only: {positive} positive and {len(y) - positive} negative" if positive in (0, len(y)) else ""


def no_positive(y: np.ndarray, p: np.ndarray) -> str:
    """Whether no image is positive."""
    return "" if y.any() else "no positive case"


def no_negative(y: np.ndarray, p: np.ndarray) -> str:
    """Whether no image is negative."""
    return "" if not y.all() else "no negative case"


def none_predicted(y: np.ndarray, p: np.ndarray) -> str:
    """Whether no image is predicted positive."""
    return "" if (p > 0.5).any() else "no case is predicted positive"


def neither(y: np.ndarray, p: np.ndarray) -> str:
    """Whether no image is positive, true or predicted."""
    return "" if y.any() or (p > 0.5).any() else "no positive case, true or predicted"


def _counts(y: np.ndarray, p: np.ndarray) -> tuple[int, int, int, int]:
    """True and false negatives, false and true positives; class 1 is chosen above (not at) 0.5."""
    found = p > 0.5
    tp, positive, called = int((y & found).sum()), int(y.sum()), int(found.sum())
    return len(y) - positive - called + tp, positive - tp, called - tp, tp


def of_counts(rule: Callable[[int, int, int, int], float]) -> Rule:
    """A rule of true negatives, false negatives, false positives and true positives."""
    return lambda y, p: rule(*_counts(y, p))


def weighted_precision(tn: int, fn: int, fp: int, tp: int) -> float:
    """Precision of both classes by their number of images; 0 for a class that is never called (scikit-learn's rule)."""
    return ((tn + fp) * _share(tn, tn + fn) + (tp + fn) * _share(tp, tp + fp)) / (tn + fn + fp + tp)


def weighted_f1(tn: int, fn: int, fp: int, tp: int) -> float:
    """F1 of both classes by their number of images."""
    f1 = (_share(2 * tn, 2 * tn + fn + fp), _share(2 * tp, 2 * tp + fn + fp))
    return ((tn + fp) * f1[0] + (tp + fn) * f1[1]) / (tn + fn + fp + tp)


def macro_recall(tn: int, fn: int, fp: int, tp: int) -> float:
    """Mean recall of the classes that occur, true or called; 0 for one that is called only."""
    pairs = ((tn, tn + fp, tn + fn), (tp, tp + fn, tp + fp))
    recalls = [_share(right, true) for right, true, called in pairs if true or called]
    return sum(recalls) / len(recalls)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    """Share of pairs of a positive and a negative image that are in order; ties count half."""
    positive = int(y.sum())
    return (rankdata(p)[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive))


def calibration_bins(table: CaseTable, bins: int = BINS) -> list[dict[str, float]]:
    """Mean probability and share of positives of the labelled cases, in bins of equal width that hold any."""
    known = ~np.isnan(table.label)
    y, p = table.label[known], table.probability[known]
    place = np.minimum((p * bins).astype(int), bins - 1)
    return [
        {"n": int((place == b).sum()), "probability": float(p[place == b].mean()), "share": float(y[place == b].mean())}
        for b in np.unique(place)
    ]


def calibration_error(t: CaseTable) -> Measured:
    """Mean distance of probability and share of positives, each bin weighted by its images."""
    found = calibration_bins(t)
    n = sum(int(one["n"]) for one in found)
    total = sum(one["n"] * abs(one["probability"] - one["share"]) for one in found)
    return ratio(total, n, n, "no case has a label")


def auc_or_one(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve; 1 where it is undefined, as in the HDS paper's code."""
    return 1.0 if one_class(y, p) else roc_auc(y, p)
