"""Regions drawn in the VGG Image Annotator (VIA 1), as it exports them to CSV."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from .shared import refuse_faults
from .tables import read_table, require_columns

__all__ = ["read_regions"]

CORNERS = 64
"""Of the polygon that stands for a circle or an ellipse: off by less than 0.2 % of the radius."""


def read_regions(table: Path) -> dict[str, list[list[list[float]]]]:
    """Polygons of [x, y] by stem of the image file.

    Raises:
        DataError: If columns are missing or a shape is not understood.
    """
    rows = read_table(table)
    require_columns(rows, table, ("#filename", "region_shape_attributes"))
    regions: dict[str, list[list[list[float]]]] = {}
    faults = []
    for row in rows:
        try:
            shape = json.loads(row["region_shape_attributes"] or "{}")
            if shape:  # an image without a region has one row with {}
                # Names hold stray spaces, also before the suffix.
                regions.setdefault(Path(row["#filename"]).stem.strip(), []).append(_polygon(shape))
        except (ValueError, KeyError, TypeError) as error:
            faults.append(f"{row['#filename']}: {row['region_shape_attributes'][:60]} ({error})")
    refuse_faults(f"{table.name} cannot be used", faults, "polygon, polyline, circle, ellipse or point", "correct them")
    return regions


def _polygon(shape: dict[str, Any]) -> list[list[float]]:
    if shape["name"] in ("polygon", "polyline"):
        pairs = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
        return [[float(x), float(y)] for x, y in pairs]
    x, y = float(shape["cx"]), float(shape["cy"])
    if shape["name"] == "point":
        return [[x, y]]
    radius = {"circle": ("r", "r"), "ellipse": ("rx", "ry")}[shape["name"]]
    a, b = (float(shape[key]) for key in radius)
    angles = [2 * math.pi * i / CORNERS for i in range(CORNERS)]
    return [[x + a * math.cos(t), y + b * math.sin(t)] for t in angles]
