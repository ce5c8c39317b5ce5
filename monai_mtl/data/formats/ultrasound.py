"""How large a pixel of an ultrasound image is: the calibration of its one two-dimensional region, or nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pydicom

__all__ = ["SOURCE", "calibration"]

SOURCE = "SequenceOfUltrasoundRegions"
TWO_DIMENSIONAL, CENTIMETRES = 1, 3
"""RegionSpatialFormat and PhysicalUnitsXDirection (DICOM PS3.3 C.8.5.5)."""
MILLIMETRES = 10
BOX = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


def calibration(header: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Millimetres in x and y, and the part of the image that they hold for.

    Args:
        header: The data set.

    Returns:
        Spacing ``(2,)``, and ``x0, y0, x1, y1`` in pixels; None where there is no region or more than one of two
        dimensions, where it is not measured in centimetres, or where it does not lie in the image: whoever made the
        image smaller later has left the numbers of the larger one.
    """
    regions = header.get(SOURCE) or []
    flat = [one for one in regions if one.get("RegionSpatialFormat") == TWO_DIMENSIONAL]
    if len(flat) != 1:
        return None
    (region,) = flat
    if any(region.get(f"PhysicalUnits{axis}Direction") != CENTIMETRES for axis in "XY"):
        return None
    spacing = [MILLIMETRES * abs(_number(region.get(f"PhysicalDelta{axis}"))) for axis in "XY"]
    box = [_number(region.get(name)) for name in BOX]
    x0, y0, x1, y1 = box
    inside = 0 <= x0 < x1 <= header.Columns and 0 <= y0 < y1 <= header.Rows
    if not inside or not all(0 < side < math.inf for side in spacing):
        return None
    return np.array(spacing), np.array(box)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
