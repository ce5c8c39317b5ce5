"""Figures of the ISIC 2017 challenge: each of a mask is a mean over images, Codella et al., arXiv 1710.05006."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from . import image_measures as images
from .case_scores import CaseTable
from .measure import Measure, Measured, mean

__all__ = ["ISIC", "average_precision"]

NO_MASK = "no case has an annotated mask"
AGREES = 0.65
"""Jaccard index below which the challenge's later rule counts a mask as failed: 0."""


def _of_pixels(rule: Callable[..., np.ndarray]) -> Callable[[CaseTable], Measured]:
    """Mean over images of a rule of tp, fp, fn and tn, without images where it is 0 / 0."""

    def compute(t: CaseTable) -> Measured:
        """Of the annotated cases."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return mean(rule(t.tp, t.fp, t.fn, t.tn), NO_MASK)

    return compute


def _jaccard(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return tp / (tp + fp + fn)


def _thresholded(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    jaccard = _jaccard(tp, fp, fn, tn)
    return np.where(jaccard < AGREES, 0.0, jaccard)


def average_precision(y: np.ndarray, p: np.ndarray) -> float:
    """Precision at each positive image, the surest first and ties together, mean (scikit-learn's)."""
    order = np.argsort(-p, kind="stable")
    y, p = y[order], p[order]
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    found = np.cumsum(y)[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / y.sum())


_counts = images.of_counts
ISIC: Mapping[str, Measure] = {
    "jaccard": Measure(_of_pixels(_jaccard), "Jaccard index, mean over images (JA)"),
    "jaccard_thresholded": Measure(_of_pixels(_thresholded), f"the same, below {AGREES} counted 0"),
    "dice": Measure(_of_pixels(lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn)), "Dice, mean over images (DI)"),
    "pixel_accuracy": Measure(
        _of_pixels(lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn)), "share of pixels right, mean (AC)"
    ),
    "pixel_sensitivity": Measure(_of_pixels(lambda tp, fp, fn, tn: tp / (tp + fn)), "lesion pixels found, mean (SE)"),
    "pixel_specificity": Measure(_of_pixels(lambda tp, fp, fn, tn: tn / (tn + fp)), "other pixels left, mean (SP)"),
    "accuracy": Measure(
        images.classified(_counts(lambda tn, fn, fp, tp: (tp + tn) / (tn + fn + fp + tp))),
        "share of images classified right",
    ),
    "average_precision": Measure(
        images.classified(average_precision, images.no_positive), "precision at each positive image, mean (AP)"
    ),
    "auc": Measure(images.classified(images.roc_auc, images.one_class), "area under the ROC curve"),
    "recall": Measure(
        images.classified(_counts(lambda tn, fn, fp, tp: tp / (tp + fn)), images.no_positive),
        "share of positive images found",
    ),
    "specificity": Measure(
        images.classified(_counts(lambda tn, fn, fp, tp: tn / (tn + fp)), images.no_negative),
        "share of negative images called negative",
    ),
}
"""Masks and the image's class by the challenge's rules; a class is called above 0.5."""
