"""Figures of a table of cases: the HDS paper's own rules, and clean ones beside them.

The paper's rules (as its code computes them) count an image without a mass as Dice 1 if nothing is predicted, and as
sensitivity 1 whatever is predicted. Where most images hold no mass this flatters, so such a figure never stands alone.

An interval takes each figure a thousand times, so the simple ones are written out here; tests hold them equal to
scikit-learn's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from monai.metrics import compute_froc_curve_data, compute_froc_score
from scipy.stats import rankdata

from .case_scores import CaseTable

__all__ = ["CLEAN", "HDS_PAPER", "MEASURE_SETS", "Measure", "Measured", "calibration_bins", "froc_curve"]

SMOOTH = 1e-6
"""In the paper's ratios."""
FROC_POINTS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False positives an image at which the sensitivity of the free-response curve is read."""
BINS = 10


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


def _mean(values: np.ndarray, reason: str) -> Measured:
    known = values[~np.isnan(values)]
    return Measured(float(known.mean()), len(known)) if len(known) else Measured(math.nan, 0, reason)


def _ratio(above: float, below: float, n: int, reason: str) -> Measured:
    return Measured(float(above / below), n) if below else Measured(math.nan, n, reason)


NO_MASK = "no case has an annotated mask"
NO_LESION = "no annotated case holds a lesion"
ALL_LESIONS = "every annotated case holds a lesion"


def _dice_with_empty(t: CaseTable) -> Measured:
    return _mean((2 * t.tp + SMOOTH) / (2 * t.tp + t.fp + t.fn + SMOOTH), NO_MASK)


def _sensitivity_with_empty(t: CaseTable) -> Measured:
    return _mean((t.tp + SMOOTH) / (t.tp + t.fn + SMOOTH), NO_MASK)


def _specificity_smoothed(t: CaseTable) -> Measured:
    return _mean((t.tn + SMOOTH) / (t.tn + t.fp + SMOOTH), NO_MASK)


def _dice(t: CaseTable) -> Measured:
    with np.errstate(invalid="ignore"):
        return _mean(np.where(t.lesions > 0, 2 * t.tp / (2 * t.tp + t.fp + t.fn), np.nan), NO_LESION)


def _pixel_sensitivity(t: CaseTable) -> Measured:
    with np.errstate(invalid="ignore"):
        return _mean(np.where(t.lesions > 0, t.tp / (t.tp + t.fn), np.nan), NO_LESION)


def _lesion_sensitivity(t: CaseTable) -> Measured:
    n = int((t.lesions > 0).sum())
    return _ratio(np.nansum(t.lesions_found), np.nansum(t.lesions), n, NO_LESION)


def _false_components(t: CaseTable) -> Measured:
    return _mean(t.false_components, NO_MASK)


def _false_components_of_empty(t: CaseTable) -> Measured:
    return _mean(np.where(t.lesions == 0, t.false_components, np.nan), ALL_LESIONS)


def froc_curve(table: CaseTable) -> tuple[np.ndarray, np.ndarray]:
    """False positives an image and lesion sensitivity, one point a threshold (MONAI's ``compute_froc_curve_data``).

    A lesion is found by a candidate whose peak lies in it; see :func:`monai_mtl.metrics.score_case`.

    Raises:
        ValueError: If no annotated case holds a lesion.
    """
    annotated = ~np.isnan(table.lesions)
    lesions = int(table.lesions[annotated].sum())
    if not lesions:
        raise ValueError(NO_LESION)
    # MONAI leaves out the lowest threshold, which is so the one of this zero.
    false = np.concatenate([np.zeros(1), *table.false_peaks])
    true = np.concatenate([np.zeros(0), *table.hits])
    return compute_froc_curve_data(false, true, lesions, int(annotated.sum()))


def _froc(t: CaseTable) -> Measured:
    n = int((~np.isnan(t.lesions)).sum())
    if not np.nansum(t.lesions):
        return Measured(math.nan, n, NO_LESION)
    per_image, sensitivity = froc_curve(t)
    # A detector that never makes so many false positives keeps its highest sensitivity.
    return Measured(float(compute_froc_score(per_image, sensitivity, FROC_POINTS)), n)


def _classified(
    rule: Callable[[np.ndarray, np.ndarray], float],
    undefined: Callable[[np.ndarray, np.ndarray], str] = lambda y, p: "",
) -> Callable[[CaseTable], Measured]:
    """Measure of labels and probabilities; ``undefined`` says why it is nan, if it is."""

    def compute(t: CaseTable) -> Measured:
        known = ~np.isnan(t.label)
        y, p = t.label[known].astype(int), t.probability[known]
        if not len(y):
            return Measured(math.nan, 0, "no case has a label")
        if reason := undefined(y, p):
            return Measured(math.nan, len(y), reason)
        return Measured(float(rule(y, p)), len(y))

    return compute


def _one_class(y: np.ndarray, p: np.ndarray) -> str:
    positive = int(y.sum())
    return f"one class only: {positive} positive and {len(y) - positive} negative" if positive in (0, len(y)) else ""


def _no_positive(y: np.ndarray, p: np.ndarray) -> str:
    return "" if y.any() else "no positive case"


def _no_negative(y: np.ndarray, p: np.ndarray) -> str:
    return "" if not y.all() else "no negative case"


def _none_predicted(y: np.ndarray, p: np.ndarray) -> str:
    return "" if (p > 0.5).any() else "no case is predicted positive"


def _neither(y: np.ndarray, p: np.ndarray) -> str:
    return "" if y.any() or (p > 0.5).any() else "no positive case, true or predicted"


def _counts(y: np.ndarray, p: np.ndarray) -> tuple[int, int, int, int]:
    """True and false negatives, false and true positives; class 1 is chosen above (not at) 0.5."""
    found = p > 0.5
    tp, positive, called = int((y & found).sum()), int(y.sum()), int(found.sum())
    return len(y) - positive - called + tp, positive - tp, called - tp, tp


def _of_counts(rule: Callable[[int, int, int, int], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda y, p: rule(*_counts(y, p))


def _roc_auc(y: np.ndarray, p: np.ndarray) -> float:
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


def _calibration_error(t: CaseTable) -> Measured:
    found = calibration_bins(t)
    n = sum(int(one["n"]) for one in found)
    total = sum(one["n"] * abs(one["probability"] - one["share"]) for one in found)
    return _ratio(total, n, n, "no case has a label")


def _auc_or_one(y: np.ndarray, p: np.ndarray) -> float:
    return 1.0 if _one_class(y, p) else _roc_auc(y, p)


_shared = {
    "accuracy": Measure(
        _classified(_of_counts(lambda tn, fn, fp, tp: (tp + tn) / (tn + fn + fp + tp))),
        "share of images classified right",
    ),
    "f1": Measure(
        _classified(_of_counts(lambda tn, fn, fp, tp: 2 * tp / (2 * tp + fn + fp)), _neither), "F1 of the image class"
    ),
    "precision": Measure(
        _classified(_of_counts(lambda tn, fn, fp, tp: tp / (tp + fp)), _none_predicted),
        "share of right among positive calls",
    ),
    "recall": Measure(
        _classified(_of_counts(lambda tn, fn, fp, tp: tp / (tp + fn)), _no_positive), "share of positive images found"
    ),
}

HDS_PAPER: Mapping[str, Measure] = {
    "dsc": Measure(_dice_with_empty, "Dice over all images; an image without a mass counts 1 if nothing is predicted"),
    "se": Measure(_sensitivity_with_empty, "pixel sensitivity over all images; one without a mass counts 1"),
    "spec": Measure(_specificity_smoothed, "pixel specificity over all images"),
    "fpi": Measure(_false_components, "predicted components that touch no mass, an image", "lower"),
    **_shared,
    "auc": Measure(_classified(_auc_or_one), "area under the ROC curve; 1 if only one class occurs"),
}
"""The rules of the HDS paper's code, which its tables are taken to follow."""

CLEAN: Mapping[str, Measure] = {
    "dice_lesion": Measure(_dice, "Dice over images that hold a lesion"),
    "pixel_sensitivity": Measure(_pixel_sensitivity, "share of lesion pixels found, over images that hold a lesion"),
    "lesion_sensitivity": Measure(_lesion_sensitivity, "share of lesions that the predicted mask touches"),
    "froc": Measure(_froc, f"mean lesion sensitivity at {', '.join(f'{x:g}' for x in FROC_POINTS)} false per image"),
    "false_per_image": Measure(_false_components, "predicted components that touch no lesion, an image", "lower"),
    "false_per_empty_image": Measure(_false_components_of_empty, "the same, over images that hold no lesion", "lower"),
    **_shared,
    "specificity": Measure(
        _classified(_of_counts(lambda tn, fn, fp, tp: tn / (tn + fp)), _no_negative),
        "share of negative images called negative",
    ),
    "auc": Measure(_classified(_roc_auc, _one_class), "area under the ROC curve"),
    "brier": Measure(
        _classified(lambda y, p: float(((p - y) ** 2).mean())), "mean squared error of the probability", "lower"
    ),
    "calibration_error": Measure(
        _calibration_error, f"mean distance of probability and share of positives, {BINS} bins", "lower"
    ),
}
"""Figures of which each counts only the cases that can answer its question."""

MEASURE_SETS: Mapping[str, Mapping[str, Measure]] = {"clean": CLEAN, "hds_paper": HDS_PAPER}
"""By the name that a config uses."""
