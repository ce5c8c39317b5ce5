"""What a case with several classes contributes: a table of pixels, a probability for each class of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .case_scores import CaseScores

__all__ = ["confusion_table", "score_classes"]


def confusion_table(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Pixels by true class (rows) and predicted class (columns).

    Args:
        truth: Class indices of any shape.
        prediction: Class indices of the same shape.
        classes: Number of classes K.

    Returns:
        Counts ``(K, K)``.

    Raises:
        ValueError: If the shapes differ, or an index is not below ``classes``.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    pairs = truth.reshape(-1).astype(np.int64), prediction.reshape(-1).astype(np.int64)
    if any(one.size and not 0 <= one.min() <= one.max() < classes for one in pairs):
        raise ValueError(f"a class index is not in 0..{classes - 1}")
    return np.bincount(pairs[0] * classes + pairs[1], minlength=classes**2).reshape(classes, classes)


def score_classes(
    case_id: str,
    patient_id: str = "",
    truth: np.ndarray | None = None,
    prediction: np.ndarray | None = None,
    seg_classes: int = 2,
    probabilities: Sequence[float] = (),
    label_cls: float = math.nan,
) -> CaseScores:
    """Count one case of several classes.

    Args:
        case_id: Name.
        patient_id: Patient.
        truth: Annotated class indices ``(H, W)``; ``None`` where nobody looked.
        prediction: Predicted class indices ``(H, W)``; needed with ``truth``.
        seg_classes: Number of classes of a pixel.
        probabilities: Of each class of the image; empty for a network that tells none.
        label_cls: Its class; nan where nobody looked.

    Raises:
        ValueError: If masks do not fit each other, or a probability is not finite where the class is annotated.
    """
    if not math.isnan(label_cls) and not (len(probabilities) and np.isfinite(probabilities).all()):
        raise ValueError(f"the probabilities of {case_id} are not finite")
    table = np.zeros(0) if truth is None else confusion_table(truth, np.asarray(prediction), seg_classes)
    return CaseScores(
        case_id,
        patient_id,
        label=float(label_cls),
        confusion=[int(count) for count in table.reshape(-1)],
        probabilities=[float(p) for p in probabilities],
    )
