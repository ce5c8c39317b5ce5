"""The cases of a report, worst first."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...metrics.class_measures import mean_iou
from ..overlay import HEIGHT, overlay_path
from ..tissue_overlay import HEIGHT as REGION_HEIGHT
from .evaluation import Evaluation

__all__ = ["NOT_ANNOTATED", "overlay_of", "picture_of", "small_picture", "worst_first"]

SIZE = (640, 240)
"""Width and height that a picture fits into."""
QUALITY = 70
NO_TISSUE, NO_MASK = "no annotated tissue", "no annotated mask"
NOT_ANNOTATED = (NO_TISSUE, NO_MASK)


def worst_first(found: Evaluation) -> list[dict[str, Any]]:
    """What a report tells of each case, the worst first and those that nobody annotated last.

    A case is as bad as its worst answer, and of equals the one with the worse mean comes first. Answers are the Dice
    of its mask (0 where a lesion is predicted in an image that holds none, 1 where none is) or the mean IoU of its
    tissues, and the probability that its true class got.

    Args:
        found: Files of the evaluation.

    Returns:
        One dictionary a case. ``case`` is its row in ``cases.csv``, ``name`` its name there.
    """
    cases = [_case(found, row) for row in range(len(found.rows))]
    return sorted(cases, key=lambda one: (math.isnan(one["worst"]), one["worst"], one["mean"], one["case"]))


def _case(found: Evaluation, row: int) -> dict[str, Any]:
    table, words = found.table, found.rows[row]
    case: dict[str, Any] = {"case": row + 1, "name": words["case_id"], "patient": str(table.patient_id[row])}
    case |= _mask(found, row)
    case |= {key: float(words[key] or "nan") for key in ("box_score", "box_iou") if key in words}
    chances = {name: float(words[f"p({name})"]) for name in found.classes if words.get(f"p({name})")}
    truth = words.get("label") or None
    case |= {"label": truth, "probabilities": chances}
    case["called"] = max(chances, key=lambda name: chances[name]) if chances else None
    judged = [case["mask_score"]]
    if not math.isnan(table.label[row]) and truth in chances:
        judged.append(chances[str(truth)])
    known = [score for score in judged if not math.isnan(score)]
    case["worst"], case["mean"] = (min(known), sum(known) / len(known)) if known else (math.nan, math.nan)
    if not known:
        case["reason"] = "neither mask nor class is annotated"
    return case


def _mask(found: Evaluation, row: int) -> dict[str, Any]:
    """Figure of the mask, its name, and its share in the order of the cases."""
    table = found.table
    if found.several:
        counts = table.confusion[row]
        if not len(counts):
            return {"figure": "mIoU", "value": math.nan, "value_reason": NO_TISSUE, "mask_score": math.nan}
        side = math.isqrt(len(counts))
        value = mean_iou(np.reshape(counts, (side, side)))
        return {"figure": "mIoU", "value": value, "mask_score": value}
    if math.isnan(table.lesions[row]):
        return {"figure": "Dice", "value": math.nan, "value_reason": NO_MASK, "mask_score": math.nan}
    tp, fp, fn = (float(getattr(table, name)[row]) for name in ("tp", "fp", "fn"))
    if table.lesions[row] == 0:
        told = "no lesion, none predicted" if fp == 0 else "no lesion, but one is predicted"
        return {"figure": "Dice", "value": math.nan, "value_reason": told, "mask_score": float(fp == 0)}
    value = 2 * tp / (2 * tp + fp + fn)
    return {"figure": "Dice", "value": value, "mask_score": value}


def overlay_of(found: Evaluation, name: str) -> Path:
    """Where the evaluation left its picture of a case."""
    return overlay_path(found.folder, name)


def picture_of(found: Evaluation, name: str) -> dict[str, Any] | None:
    """The overlay of a case, small and without its caption; None where there is none.

    Args:
        found: Files of the evaluation.
        name: Of the case.

    Returns:
        ``uri`` with the picture as data, ``width`` and ``height`` in pixels.
    """
    path = overlay_of(found, name)
    if not path.is_file():
        return None
    with Image.open(path) as opened:
        return small_picture(opened.convert("RGB"), REGION_HEIGHT if found.several else HEIGHT)


def small_picture(picture: Image.Image, height: int) -> dict[str, Any]:
    """A picture without its caption, as small as a report needs it.

    Args:
        picture: Caption above, panels below.
        height: Of the panels.

    Returns:
        As :func:`picture_of`.
    """
    panels = min(picture.height, height)
    picture = picture.crop((0, picture.height - panels, picture.width, picture.height))
    picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=QUALITY)
    uri = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
    return {"uri": uri, "width": picture.width, "height": picture.height}
