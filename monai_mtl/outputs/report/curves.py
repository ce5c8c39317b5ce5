"""Numbers behind the charts of a report: each has points, or the reason why it has none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, roc_curve

from ...metrics import CaseScores, CaseTable, calibration_bins, froc_curve
from ...metrics.image_measures import one_class, roc_auc
from .evaluation import NO_CURVES, Evaluation

__all__ = ["all_charts"]

NO_LABEL = "no case has a label"
NO_MASK = "no case has an annotated mask"
SEVERAL = "pixels have several classes, none of which is a lesion"
POINTS = 300
"""Of a free-response curve, at most."""


def all_charts(found: Evaluation) -> dict[str, dict[str, Any]]:
    """Training, ROC, FROC, calibration and confusion of an evaluation.

    Args:
        found: Its files.

    Returns:
        By chart its numbers, or ``reason`` where it has none.
    """
    return {
        "training": _training(found.training),
        "roc": _roc(found),
        "froc": {"reason": SEVERAL} if found.several else _froc(found.table),
        "calibration": _calibration(found),
        "confusion_images": _image_confusion(found),
        "confusion_pixels": _pixel_confusion(found),
    }


def _training(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    if not rows:
        return {"reason": NO_CURVES}
    names = list(dict.fromkeys(name for row in rows for name in row))
    tasks = [name[: -len("_loss")] for name in names if name.endswith("_loss")]

    def points(name: str) -> list[list[float]]:
        """Epoch and value, where there is one."""
        return [[row["epoch"], row[name]] for row in rows if math.isfinite(row.get(name, math.nan))]

    curves: dict[str, Any] = {}
    for task in tasks:
        metrics = [name for name in names if name.startswith(f"val_{task}_")]
        curves[task] = {"loss": points(f"{task}_loss"), "metrics": {name: points(name) for name in metrics}}
    return {"epochs": int(rows[-1]["epoch"]), "tasks": curves, "loss": points("loss"), "rate": points("learning_rate")}


def _chances(found: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """True classes ``(N,)`` and probabilities ``(N, K)`` of the labelled cases."""
    table = found.table
    known = np.flatnonzero(~np.isnan(table.label))
    if any(len(one) for one in table.probabilities):
        chances = [table.probabilities[i] for i in known]
    else:
        chances = [np.array([1 - table.probability[i], table.probability[i]]) for i in known]
    return table.label[known].astype(int), np.stack(chances) if len(known) else np.zeros((0, len(found.classes)))


def _roc(found: Evaluation) -> dict[str, Any]:
    y, p = _chances(found)
    if not len(y):
        return {"reason": NO_LABEL}
    curves: dict[str, Any] = {}
    for k in range(p.shape[1]) if p.shape[1] > 2 else [1]:
        true = (y == k).astype(int)
        if reason := one_class(true, p[:, k]):
            curves[found.classes[k]] = {"reason": reason}
            continue
        false_rate, true_rate, _ = roc_curve(true, p[:, k])
        points = {"false_positive_rate": false_rate.tolist(), "true_positive_rate": true_rate.tolist()}
        curves[found.classes[k]] = {**points, "auc": float(roc_auc(true, p[:, k])), "positive": int(true.sum())}
    if all("reason" in one for one in curves.values()):
        return {"reason": "; ".join(f"{name}: {one['reason']}" for name, one in curves.items()), "n": len(y)}
    return {"n": len(y), "curves": curves}


def _froc(table: CaseTable) -> dict[str, Any]:
    annotated = int((~np.isnan(table.lesions)).sum())
    if not annotated:
        return {"reason": NO_MASK}
    try:
        false, sensitivity = froc_curve(table)
    except ValueError as error:
        return {"reason": str(error), "n": annotated}
    if not np.isfinite(false).all() or not np.isfinite(sensitivity).all():
        return {"reason": "no candidate in any image", "n": annotated}
    kept = np.unique(np.linspace(0, len(false) - 1, min(len(false), POINTS)).round().astype(int))
    lesions = int(np.nansum(table.lesions))
    return {
        "n": annotated,
        "lesions": lesions,
        "false_per_image": false[kept].tolist(),
        "sensitivity": sensitivity[kept].tolist(),
    }


def _calibration(found: Evaluation) -> dict[str, Any]:
    y, p = _chances(found)
    if not len(y):
        return {"reason": NO_LABEL}
    if p.shape[1] == 2:
        axis, share, chance, right = f"p({found.classes[1]})", f"share of {found.classes[1]}", p[:, 1], y
    else:
        axis, share = "p of the most probable class", "share right"
        chance, right = p.max(axis=1), (p.argmax(axis=1) == y).astype(int)
    pairs = zip(chance, right, strict=True)
    table = CaseTable([CaseScores(str(i), probability=float(c), label=float(r)) for i, (c, r) in enumerate(pairs)])
    return {"n": len(y), "axis": axis, "share": share, "bins": calibration_bins(table)}


def _image_confusion(found: Evaluation) -> dict[str, Any]:
    y, p = _chances(found)
    if not len(y):
        return {"reason": NO_LABEL}
    # Of two, class 1 is called above 0.5, as by the figures; argmax takes the first of equals.
    counts = confusion_matrix(y, p.argmax(axis=1), labels=range(p.shape[1]))
    return {"n": len(y), "classes": found.classes, "counts": counts.tolist()}


def _pixel_confusion(found: Evaluation) -> dict[str, Any]:
    table = found.table
    if found.several:
        known = [one for one in table.confusion if len(one)]
        side = math.isqrt(len(known[0]))
        counts, n = np.sum(known, axis=0).reshape(side, side), len(known)
    else:
        rows = ~np.isnan(table.tp)
        tn, fp, fn, tp = (float(getattr(table, name)[rows].sum()) for name in ("tn", "fp", "fn", "tp"))
        counts, n = np.array([[tn, fp], [fn, tp]]), int(rows.sum())
    if not n:
        return {"reason": NO_MASK}
    return {"n": n, "classes": found.tissues, "counts": counts.astype(int).tolist()}
