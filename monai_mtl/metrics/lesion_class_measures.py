"""Figures of masks whose lesions have several classes, such as benign and malignant."""

from __future__ import annotations

import math

import numpy as np

from .case_scores import CaseTable
from .measure import Measured

__all__ = ["class_dice", "class_pixels", "dice_by_class", "dice_of_classes"]

NO_LESION = "no annotated case holds a lesion"
COUNTS = 3
"""Numbers a class: pixels found, predicted and true."""


def class_pixels(truth: np.ndarray, prediction: np.ndarray, classes: int) -> list[int]:
    """Pixels of each class of lesions: found, predicted and true.

    Args:
        truth: Class indices of any shape, 0 the background.
        prediction: Class indices of the same shape.
        classes: Number of classes, the background's included.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> class_pixels(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 0]), 3)
        [0, 0, 1, 1, 2, 2]
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    found = []
    for k in range(1, classes):
        true, predicted = truth == k, prediction == k
        found += [int((true & predicted).sum()), int(predicted.sum()), int(true.sum())]
    return found


def class_dice(counts: np.ndarray) -> np.ndarray:
    """Dice of each class of lesions; nan for one that the truth does not hold.

    Args:
        counts: Of one case or many, as :func:`class_pixels` gives them ``(*, 3 * (K - 1))``.

    Returns:
        ``(*, K - 1)``.
    """
    both, predicted, true = np.moveaxis(counts.reshape(*counts.shape[:-1], -1, COUNTS), -1, 0)
    return np.where(true > 0, 2 * both / np.maximum(predicted + true, 1), np.nan)


def dice_by_class(t: CaseTable) -> list[Measured]:
    """Mean Dice of each class over the images that hold it."""
    known = [one for one in t.class_pixels if len(one)]
    values = class_dice(np.stack(known)) if known else np.zeros((0, 0))
    return [_mean(column[~np.isnan(column)]) for column in values.T]


def _mean(values: np.ndarray) -> Measured:
    if not len(values):
        return Measured(math.nan, 0, "no annotated case holds one")
    return Measured(float(values.mean()), len(values))


def dice_of_classes(t: CaseTable) -> Measured:
    """The mean of these over the classes that occur; ``n`` counts images with a lesion."""
    means = [one.value for one in dice_by_class(t) if one.n]
    holds = sum(bool(len(one)) and bool((one[COUNTS - 1 :: COUNTS] > 0).any()) for one in t.class_pixels)
    return Measured(float(np.mean(means)), holds) if means else Measured(math.nan, 0, NO_LESION)
