"""The lesions of a case as ``x.json`` tells them: size, place, and how sure the network is of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .lesions import Lesion

__all__ = ["lesion_entries", "spacing_entry", "within"]

NO_SPACING = "the image states no spacing that is known to be right; sizes are in pixels"
PLANES = {
    "ImagerPixelSpacing (detector plane)": "detector; in the body lengths are smaller",
    "SequenceOfUltrasoundRegions": "image, inside its one two-dimensional region",
    "ImagerPixelSpacing / magnification": "body, by the magnification that the file estimates",
}
OUTSIDE = "not wholly inside the region that the spacing holds for"
DIGITS = 2
"""Of a size or a place after the point."""


def spacing_entry(spacing_xy: Sequence[float], source: str) -> dict[str, Any]:
    """What sizes stand on.

    Args:
        spacing_xy: Millimetres a pixel in x and y; nan where it is not known.
        source: Where it comes from, as the reader tells it.

    Returns:
        ``xy_mm``, ``source`` and the ``plane`` that it holds for; or ``xy_mm`` None and the ``reason``.
    """
    sides = [float(side) for side in spacing_xy]
    if not all(math.isfinite(side) for side in sides):
        return {"xy_mm": None, "source": source, "reason": NO_SPACING}
    return {"xy_mm": [round(side, 6) for side in sides], "source": source, "plane": PLANES.get(source, "image")}


def within(lesions: Sequence[Lesion], calibrated_xyxy: Sequence[float] | None) -> list[Lesion]:
    """The same lesions, without millimetres where the spacing does not hold.

    Args:
        lesions: With millimetres.
        calibrated_xyxy: First and last column and row that it holds for; None for the whole image.
    """
    if calibrated_xyxy is None:
        return list(lesions)
    x0, y0, x1, y1 = calibrated_xyxy

    def inside(box: Sequence[int]) -> bool:
        """Whether a box lies wholly where it holds."""
        return x0 <= box[0] and y0 <= box[1] and box[2] <= x1 + 1 and box[3] <= y1 + 1

    return [
        one if inside(one.box_xyxy) else one._replace(area_mm2=math.nan, long_axis_mm=math.nan, short_axis_mm=math.nan)
        for one in lesions
    ]


def lesion_entries(
    numbers: np.ndarray,
    lesions: Sequence[Lesion],
    probability: np.ndarray,
    spacing_known: bool = False,
    classes: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """One entry a lesion, largest first.

    Args:
        numbers: Number of the lesion of each pixel ``(H, W)``, as :func:`monai_mtl.outputs.lesions.find_lesions` gives
            it.
        lesions: Its lesions, number 1 first.
        probability: Of a lesion, ``(H, W)`` in [0, 1].
        spacing_known: Whether an area without millimetres is one where the spacing does not hold.
        classes: Names of the lesions' classes, that of kind 1 first; told where there are several.
    """
    entries = [_entry(number, lesion, numbers, probability) for number, lesion in enumerate(lesions, 1)]
    if len(classes) > 1:
        entries = [one | {"class": classes[lesion.kind - 1]} for one, lesion in zip(entries, lesions, strict=True)]
    return [{**one, "reason": OUTSIDE} if spacing_known and one["area_mm2"] is None else one for one in entries]


def _entry(number: int, lesion: Lesion, numbers: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    x0, y0, x1, y1 = lesion.box_xyxy
    inside = probability[y0:y1, x0:x1][numbers[y0:y1, x0:x1] == number].astype(np.float64)
    sizes = {name: value for name, value in lesion._asdict().items() if "_mm" in name or "axis" in name}
    return {
        "number": number,
        "parts": lesion.parts,
        "pixels": lesion.pixels,
        **{name: round(value, DIGITS) if math.isfinite(value) else None for name, value in sizes.items()},
        "centre_xy": [round(value, DIGITS) for value in lesion.centre_xy],
        "box_xyxy": list(lesion.box_xyxy),
        "confidence": {"largest": round(float(inside.max()), 6), "mean": round(float(inside.mean()), 6)},
    }
