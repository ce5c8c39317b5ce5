"""Figures of masks and lesions."""

from __future__ import annotations

import math

import numpy as np
from monai.metrics import compute_froc_curve_data, compute_froc_score

from .case_scores import CaseTable
from .measure import Measured, mean, ratio

__all__ = ["FROC_POINTS", "dice", "dice_with_empty", "false_components", "false_components_of_empty", "froc"]
__all__ += ["dice_or_zero", "froc_curve", "hd95", "hd95_or_zero", "jaccard_or_zero", "lesion_sensitivity"]
__all__ += ["pixel_sensitivity", "sensitivity_with_empty", "specificity_smoothed"]

SMOOTH = 1e-6
"""In the ratios of the HDS paper."""
BELOW = 1e-5
"""Below the line of the ACSNet paper's ratios, so that nothing found in nothing counts 0."""
FROC_POINTS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False positives an image at which the sensitivity of the free-response curve is read."""
NO_MASK = "no case has an annotated mask"
NO_LESION = "no annotated case holds a lesion"
ALL_LESIONS = "every annotated case holds a lesion"


def dice_with_empty(t: CaseTable) -> Measured:
    """Dice over all images, by the paper."""
    return mean((2 * t.tp + SMOOTH) / (2 * t.tp + t.fp + t.fn + SMOOTH), NO_MASK)


def sensitivity_with_empty(t: CaseTable) -> Measured:
    """Pixel sensitivity over all images, by the paper."""
    return mean((t.tp + SMOOTH) / (t.tp + t.fn + SMOOTH), NO_MASK)


def specificity_smoothed(t: CaseTable) -> Measured:
    """Pixel specificity over all images, by the paper."""
    return mean((t.tn + SMOOTH) / (t.tn + t.fp + SMOOTH), NO_MASK)


def jaccard_or_zero(t: CaseTable) -> Measured:
    """Jaccard index over all images, by the ACSNet paper."""
    return mean(t.tp / (t.tp + t.fp + t.fn + BELOW), NO_MASK)


def dice_or_zero(t: CaseTable) -> Measured:
    """Dice over all images, by the ACSNet paper."""
    return mean(2 * t.tp / (2 * t.tp + t.fp + t.fn + BELOW), NO_MASK)


def hd95_or_zero(t: CaseTable) -> Measured:
    """Distance of outlines over all images, by the ACSNet paper."""
    empty = (t.lesions == 0) | (t.tp + t.fp == 0)
    return mean(np.where(empty, 0.0, t.hd95), NO_MASK)


def hd95(t: CaseTable) -> Measured:
    """Distance of outlines over images with a lesion."""
    return mean(t.hd95, NO_LESION)


def dice(t: CaseTable) -> Measured:
    """Dice over images with a lesion."""
    with np.errstate(invalid="ignore"):
        return mean(np.where(t.lesions > 0, 2 * t.tp / (2 * t.tp + t.fp + t.fn), np.nan), NO_LESION)


def pixel_sensitivity(t: CaseTable) -> Measured:
    """Share of lesion pixels found, over images with a lesion."""
    with np.errstate(invalid="ignore"):
        return mean(np.where(t.lesions > 0, t.tp / (t.tp + t.fn), np.nan), NO_LESION)


def lesion_sensitivity(t: CaseTable) -> Measured:
    """Share of lesions touched."""
    n = int((t.lesions > 0).sum())
    return ratio(np.nansum(t.lesions_found), np.nansum(t.lesions), n, NO_LESION)


def false_components(t: CaseTable) -> Measured:
    """Components that touch no lesion, an image."""
    return mean(t.false_components, NO_MASK)


def false_components_of_empty(t: CaseTable) -> Measured:
    """The same over images without a lesion."""
    return mean(np.where(t.lesions == 0, t.false_components, np.nan), ALL_LESIONS)


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


def froc(t: CaseTable) -> Measured:
    """Mean sensitivity of the free-response curve at :data:`FROC_POINTS`."""
    n = int((~np.isnan(t.lesions)).sum())
    if not np.nansum(t.lesions):
        return Measured(math.nan, n, NO_LESION)
    per_image, sensitivity = froc_curve(t)
    # A detector that never makes so many false positives keeps its highest sensitivity.
    return Measured(float(compute_froc_score(per_image, sensitivity, FROC_POINTS)), n)
