"""The lesions of a mask: its connected parts, largest first, with their size and place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull
from skimage.measure import label

__all__ = ["MOST", "Lesion", "find_lesions"]

MOST = 10
"""Lesions that are told apart; a mask with more is mostly noise, and each costs a frame of the image's size."""


class Lesion(NamedTuple):
    """One connected part of a mask, or all that are too many to tell apart.

    Args:
        parts: Connected parts it consists of; 1 but for the last.
        pixels: Number of pixels.
        area_mm2: Their area in square millimetres; nan where the spacing is not known.
        long_axis_mm: Largest distance between two points of it in millimetres; nan of several parts.
        short_axis_mm: Its extent across the long axis in millimetres; the same.
        long_axis_pixels: The same in pixels, as if they were square.
        short_axis_pixels: The same.
        centre_xy: Mean of its pixels' middles, in pixels from the top left corner.
        box_xyxy: Columns and rows that hold it, half open: x0, y0, x1, y1.
        kind: Value of most of its pixels in the mask, of equals the larger: its class, where lesions have several.
    """

    parts: int
    pixels: int
    area_mm2: float
    long_axis_mm: float
    short_axis_mm: float
    long_axis_pixels: float
    short_axis_pixels: float
    centre_xy: tuple[float, float]
    box_xyxy: tuple[int, int, int, int]
    kind: int = 1


def find_lesions(
    mask: np.ndarray, spacing_xy: Sequence[float] = (math.nan, math.nan), most: int = MOST
) -> tuple[np.ndarray, list[Lesion]]:
    """Tell the lesions of a mask apart; pixels that touch at a corner belong together.

    Args:
        mask: ``(H, W)``, not zero where there is a lesion; parts that touch are one lesion, whatever their values.
        spacing_xy: Millimetres a pixel in x and y; nan where it is not known.
        most: Lesions that are told apart; all smaller ones become one more.

    Returns:
        Number of the lesion of each pixel ``(H, W)``, uint8, 0 where there is none; and lesions 1, 2, ... in order.
    """
    values = np.asarray(mask)
    parts = label(values != 0, connectivity=2)
    sizes = np.bincount(parts.reshape(-1))[1:]
    order = np.argsort(-sizes, kind="stable")
    numbers = np.zeros(len(sizes) + 1, np.uint8)
    numbers[order + 1] = np.minimum(np.arange(len(sizes)), most) + 1
    numbered = numbers[parts]
    across, down = (float(side) for side in spacing_xy)
    lesions = []
    for number, (rows, columns) in enumerate(find_objects(numbered), 1):
        here = numbered[rows, columns] == number
        coords = np.argwhere(here) + np.array([rows.start, columns.start])
        count, separate = len(coords), 1 if number <= most else len(sizes) - most
        outline = _outline(coords) if separate == 1 else np.full((1, 2), math.nan)
        y, x = coords.mean(axis=0).tolist()
        lesions.append(
            Lesion(
                separate,
                count,
                count * across * down,
                *_axes(outline * (down, across)),
                *_axes(outline),
                (x + 0.5, y + 0.5),
                (columns.start, rows.start, columns.stop, rows.stop),
                _most_frequent(values[rows, columns][here].astype(np.int64)),
            )
        )
    return numbered, lesions


def _most_frequent(values: np.ndarray) -> int:
    counts = np.bincount(values)
    return len(counts) - 1 - int(counts[::-1].argmax())


def _outline(coords: np.ndarray) -> np.ndarray:
    """Convex hull of pixels ``(N, 2)``, row and column, each of which is a square: its corners."""
    corners = np.concatenate([coords + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))]).astype(float)
    return corners[ConvexHull(corners).vertices]


def _axes(outline: np.ndarray) -> tuple[float, float]:
    """Long and short axis of a convex outline ``(N, 2)``."""
    if not np.isfinite(outline).all():
        return math.nan, math.nan
    between = outline[:, None] - outline[None]
    first, second = np.unravel_index(np.argmax((between**2).sum(axis=-1)), between.shape[:2])
    along = between[first, second]
    long_axis = float(np.hypot(*along))
    over = outline @ np.array([-along[1], along[0]]) / long_axis
    return long_axis, float(np.ptp(over))
