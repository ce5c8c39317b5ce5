"""Which of several DICOM files is the mask of an image."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from ...errors import ImageError
from ..formats import ReadOptions
from ..formats.dicom import read_dicom, read_dicom_size

__all__ = ["find_mask", "read_size", "same_shape"]

logger = logging.getLogger("monai_mtl")

Size = tuple[int, int]
TOLERANCE = 0.01
"""Largest difference of two aspect ratios, relative, at which one grid is a scaled copy of the other."""


def read_size(path: Path) -> Size | None:
    """Rows and columns from the header; None where it cannot be read, which a later check tells of."""
    try:
        columns, rows = read_dicom_size(path, ReadOptions())
    except ImageError:
        return None
    return rows, columns


def find_mask(folder: Path, candidates: Iterable[str], named: str, size: Size | None) -> str | None:
    """The mask among some files: it has the size of the image, or else two grey values.

    Args:
        folder: Where the paths start.
        candidates: Paths of mask and crop, in any order.
        named: The path to answer where files are missing or unreadable.
        size: Rows and columns of the image.

    Returns:
        A path, or None where no file is a mask.
    """
    sizes = {name: read_size(folder / name) for name in candidates}
    full = [name for name, found in sizes.items() if found and found == size]
    if len(full) == 1:
        return full[0]
    if None in sizes.values():
        return named
    masks = [name for name in full or sizes if _two_values(folder / name)]
    return max(masks, key=lambda name: sizes[name] or (0, 0), default=None)


def same_shape(one: Size, other: Size) -> bool:
    """Whether two sizes agree in their aspect ratio."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= TOLERANCE


def _two_values(path: Path) -> bool:
    try:
        pixels = read_dicom(path, ReadOptions()).array
    except ImageError as error:  # an unreadable crop is no mask
        logger.warning("not taken for a mask: %s", error.what)
        return False
    return bool(((pixels == pixels.min()) | (pixels == pixels.max())).all())
