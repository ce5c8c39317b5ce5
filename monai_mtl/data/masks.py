"""A mask in any of the forms that a datalist may give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from skimage.draw import polygon
from skimage.transform import resize

from ..errors import ImageError
from .reader import MedicalReader

__all__ = ["lesion_classes", "load_mask", "mask_files"]

DOT = 3
"""Outlines of fewer points are single pixels."""


def mask_files(source: Any) -> list[Path]:
    """Files that a mask is read from: one, several, or none.

    Args:
        source: As in :func:`load_mask`.
    """
    if isinstance(source, Mapping):
        return []
    return [Path(p) for p in ([source] if isinstance(source, (str, Path)) else source)]


def load_mask(
    source: PathLike | Sequence[PathLike] | Mapping[str, Any],
    size: tuple[int, int],
    classes: int = 2,
    rescale: bool = False,
    lesion: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Read or draw a mask on the grid of its image.

    Args:
        source: A file; a list of files, whose union counts (of two classes the larger); an empty list, for an
            image where nothing was found; or ``{"polygons": [[[x, y], ...], ...]}`` in pixels, x to the
            right, y down, whose union is class 1 and which is clipped to the image.
        size: Width and height of the image.
        classes: Number of classes.
        rescale: Whether a file of another size may be brought to the grid, with nearest neighbour.
        lesion: Class of what the mask outlines, or of each file of a list; the files then hold two values. ``None``:
            the values of the files are the classes; an outline is class 1, if there are no more.

    Returns:
        Class indices ``(W, H)``, uint8.

    Raises:
        ImageError: If a file cannot be read or has another size, or ``lesion`` does not fit.
    """
    found = lesion_classes(source, classes, lesion)
    mask = np.zeros(size, np.uint8)
    if isinstance(source, Mapping):
        for points in source["polygons"]:
            x, y = np.asarray(points, dtype=float).reshape(-1, 2).T
            columns, rows = polygon(x, y, size) if len(x) >= DOT else _dots(x, y, size)
            mask[columns, rows] = found[0]
        return mask
    for path, value in zip(mask_files(source), found, strict=True):
        part, _ = MedicalReader("mask", classes if lesion is None else 2).get_data([path])
        if part.shape != size and rescale:
            part = resize(part, size, order=0, preserve_range=True, anti_aliasing=False).astype(np.uint8)
        if part.shape != size:
            what = f"{path} has {part.shape[0]} x {part.shape[1]} pixels, its image {size[0]} x {size[1]}"
            raise ImageError(what, fix="export image and mask on one grid", kind="size")
        mask = np.maximum(mask, part * np.uint8(value))
    return mask


def lesion_classes(source: Any, classes: int, lesion: int | Sequence[int] | None) -> list[int]:
    """Factor by which each file of a mask, or its outlines, becomes class indices.

    Args:
        source: As in :func:`load_mask`.
        classes: Number of classes.
        lesion: As in :func:`load_mask`.

    Raises:
        ImageError: If there are not as many as files, or one is no class of a lesion.
    """
    if isinstance(source, Mapping) and source["polygons"] and lesion is None and classes > 2:
        what = f"outlines without class_seg, where a pixel has one of {classes} classes"
        raise ImageError(
            what, expected=f"class_seg, 1 to {classes - 1}", fix="state it, or declare two classes", kind="values"
        )
    count = 1 if isinstance(source, Mapping) else len(mask_files(source))
    found = [1] * count if lesion is None else [lesion] * count if isinstance(lesion, int) else list(lesion)
    if len(found) != count or not all(isinstance(one, int) and 1 <= one < max(classes, 2) for one in found):
        what = f"class_seg {lesion} does not fit a mask of {count} parts: {source}"
        expected = f"a number from 1 to {max(classes, 2) - 1}, or a list of as many as there are files"
        raise ImageError(what, expected=expected, fix="correct class_seg, or the number of classes", kind="values")
    return found


def _dots(x: np.ndarray, y: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    columns, rows = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (columns >= 0) & (columns < size[0]) & (rows >= 0) & (rows < size[1])
    return columns[inside], rows[inside]
