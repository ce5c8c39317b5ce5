"""Figures of masks and images with several classes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .case_scores import CaseTable
from .image_measures import roc_auc
from .measure import Measured

__all__ = ["accuracy", "auc_macro", "brier", "class_iou", "mean_iou", "mean_recall", "of_batches", "of_pixels"]
__all__ += ["iou_with_absent", "pixel_accuracy", "recall_macro", "recall_with_absent"]

BATCH = 10
"""Cases in a batch of the Y-Net paper's code."""
TINY = 1e-8
"""Below the line of its ratios, so that an absent class counts 0."""
NO_MASK = "no case has an annotated mask"
NO_LABEL = "no case has a label"
Rule = Callable[[np.ndarray], float]
"""Of a table of pixels ``(K, K)``, true class by predicted class."""


def pixel_accuracy(table: np.ndarray) -> float:
    """Share of pixels whose class is right."""
    return float(np.trace(table) / table.sum())


def class_iou(table: np.ndarray) -> np.ndarray:
    """Intersection over union of each class; nan for one that is never true."""
    hit, true = np.diag(table), table.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(true > 0, hit / (true + table.sum(axis=0) - hit), np.nan)


def mean_iou(table: np.ndarray) -> float:
    """Mean over the classes that occur."""
    return float(np.nanmean(class_iou(table)))


def mean_recall(table: np.ndarray) -> float:
    """Mean share of pixels found, over the classes that occur."""
    true = table.sum(axis=1)
    return float((np.diag(table)[true > 0] / true[true > 0]).mean())


def iou_with_absent(table: np.ndarray) -> float:
    """Mean over all classes, 0 for one that is absent, by the Y-Net paper's code."""
    hit = np.diag(table)
    return float((hit / (table.sum(axis=1) + table.sum(axis=0) - hit + TINY)).mean())


def recall_with_absent(table: np.ndarray) -> float:
    """Mean share of pixels found over all classes, 0 for one that is absent, by that code."""
    return float((np.diag(table) / (table.sum(axis=1) + TINY)).mean())


def of_pixels(rule: Rule) -> Callable[[CaseTable], Measured]:
    """Measure of one table of the pixels of all cases."""

    def compute(t: CaseTable) -> Measured:
        """Of the cases with a mask."""
        tables = _tables(t)
        return Measured(rule(tables.sum(axis=0)), len(tables)) if len(tables) else Measured(math.nan, 0, NO_MASK)

    return compute


def of_batches(rule: Rule) -> Callable[[CaseTable], Measured]:
    """Measure of batches of ten cases in their order: the sum over batches, divided by one more than there are."""

    def compute(t: CaseTable) -> Measured:
        """Of the cases with a mask."""
        tables = _tables(t)
        if not len(tables):
            return Measured(math.nan, 0, NO_MASK)
        batches = [rule(tables[first : first + BATCH].sum(axis=0)) for first in range(0, len(tables), BATCH)]
        return Measured(sum(batches) / (len(batches) + 1), len(tables))

    return compute


def _tables(t: CaseTable) -> np.ndarray:
    known = [one for one in t.confusion if len(one)]
    side = math.isqrt(len(known[0])) if known else 0
    return np.stack(known).reshape(-1, side, side) if known else np.zeros((0, 0, 0))


def _labelled(t: CaseTable) -> tuple[np.ndarray, np.ndarray]:
    """True classes ``(N,)`` and probabilities ``(N, K)``."""
    known = np.flatnonzero(~np.isnan(t.label))
    probabilities = np.stack([t.probabilities[i] for i in known]) if len(known) else np.zeros((0, 0))
    return t.label[known].astype(int), probabilities


def accuracy(t: CaseTable) -> Measured:
    """Share of images whose most probable class is right."""
    y, p = _labelled(t)
    return Measured(float((p.argmax(axis=1) == y).mean()), len(y)) if len(y) else Measured(math.nan, 0, NO_LABEL)


def recall_macro(t: CaseTable) -> Measured:
    """Mean share of images found, over the classes that occur."""
    y, p = _labelled(t)
    if not len(y):
        return Measured(math.nan, 0, NO_LABEL)
    right = p.argmax(axis=1) == y
    return Measured(float(np.mean([right[y == k].mean() for k in np.unique(y)])), len(y))


def auc_macro(t: CaseTable) -> Measured:
    """Mean area under the ROC curve of each class that occurs against all others."""
    y, p = _labelled(t)
    classes = np.unique(y)
    if len(classes) < 2:
        return Measured(math.nan, len(y), "one class only" if len(y) else NO_LABEL)
    return Measured(float(np.mean([roc_auc((y == k).astype(int), p[:, k]) for k in classes])), len(y))


def brier(t: CaseTable) -> Measured:
    """Mean over images of the summed squared errors of the probabilities, between 0 and 2."""
    y, p = _labelled(t)
    if not len(y):
        return Measured(math.nan, 0, NO_LABEL)
    return Measured(float(np.square(p - np.eye(p.shape[1])[y]).sum(axis=1).mean()), len(y))
