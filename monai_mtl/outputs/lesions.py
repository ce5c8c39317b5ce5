"""The lesions of a mask: its connected parts, largest first, with their size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
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
    """

    parts: int
    pixels: int
    area_mm2: float
    long_axis_mm: float
    short_axis_mm: float


def find_lesions(
    mask: np.ndarray, spacing_xy: Sequence[float] = (math.nan, math.nan), most: int = MOST
) -> tuple[np.ndarray, list[Lesion]]:
    """Tell the lesions of a mask apart; pixels that touch at a corner belong together.

    Args:
        mask: ``(H, W)``, not zero where there is a lesion.
        spacing_xy: Millimetres a pixel in x and y; nan where it is not known.
        most: Lesions that are told apart; all smaller ones become one more.

    Returns:
        Number of the lesion of each pixel ``(H, W)``, uint8, 0 where there is none; and lesions 1, 2, ... in order.
    """
    parts = label(np.asarray(mask) != 0, connectivity=2)
    sizes = np.bincount(parts.reshape(-1))[1:]
    order = np.argsort(-sizes, kind="stable")
    numbers = np.zeros(len(sizes) + 1, np.uint8)
    numbers[order + 1] = np.minimum(np.arange(len(sizes)), most) + 1
    numbered = numbers[parts]
    across, down = (float(side) for side in spacing_xy)
    lesions = []
    for number, pixels in enumerate(sizes[order[:most]].tolist(), 1):
        lesions.append(Lesion(1, pixels, pixels * across * down, *_axes(np.argwhere(numbered == number), down, across)))
    if len(sizes) > most:
        rest = int(sizes[order[most:]].sum())
        lesions.append(Lesion(len(sizes) - most, rest, rest * across * down, math.nan, math.nan))
    return numbered, lesions


def _axes(coords: np.ndarray, down: float, across: float) -> tuple[float, float]:
    """Long and short axis of pixels ``(N, 2)``, row and column, each of which is a rectangle."""
    if not np.isfinite([down, across]).all():
        return math.nan, math.nan
    corners = np.concatenate([coords + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))]) * (down, across)
    outline = corners[ConvexHull(corners).vertices]
    between = outline[:, None] - outline[None]
    first, second = np.unravel_index(np.argmax((between**2).sum(axis=-1)), between.shape[:2])
    along = between[first, second]
    long_axis = float(np.hypot(*along))
    over = outline @ np.array([-along[1], along[0]]) / long_axis
    return long_axis, float(np.ptp(over))
