"""From the values that a mask file stores to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ImageError
from .colours import grey_of

__all__ = ["class_indices"]

UNSURE = (32, 224)
"""Of 255: a JPEG leaves such values where it blurred the border of a mask."""


def class_indices(
    array: np.ndarray,
    path: Path,
    classes: int,
    palette: np.ndarray | None = None,
    values: Mapping[float, int] | None = None,
    threshold: float | None = None,
    lossy: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Class indices of a mask, and what was done to get them that a user should know.

    With two classes, 0 and 255 mean 0 and 1, and of a palette of two colours the brighter one is class 1,
    whatever its index.

    Args:
        array: Stored values or palette indices ``(H, W)``, or colours ``(H, W, 3)``.
        path: File, for messages.
        classes: Number of classes.
        palette: Colours ``(n, 3)`` that the indices stand for, if they do.
        values: Class of each stored value or palette index.
        threshold: Values above it are class 1, all others 0.
        lossy: Whether the file's compression changes values; refused without ``threshold``.

    Returns:
        Array ``(H, W)``, uint8, and notices.

    Raises:
        ImageError: If a value stands for no class.
    """
    if lossy and threshold is None:
        fix = "save masks as PNG; a program may set mask_threshold of MedicalReader"
        raise ImageError(f"a JPEG cannot hold a mask: {path}", fix=fix, kind="lossy")
    if values is None and palette is not None:
        array = _luminance(array, palette, path, classes)
    array = grey_of(array, path) if array.ndim == 3 else array
    if threshold is not None:
        low, high = UNSURE
        unsure = int(((array > low) & (array < high)).sum())
        notice = f"mask by values above {threshold:g}, {unsure} of {array.size} pixels between {low} and {high}"
        return (array > threshold).astype(np.uint8), [notice]
    found = _found(array)
    mapping: dict[float, int] = dict(values) if values is not None else {k: k for k in range(classes)}
    if values is None and classes == 2 and found[-1] == 255:
        mapping = {0: 0, 255: 1}
    unknown = [value for value in found if value not in mapping]
    if unknown:
        expected = f"0..{classes - 1}" + (", or 0 and 255" if classes == 2 else "")
        expected = str(sorted(mapping)) if values is not None else expected
        what = f"mask with undeclared values {unknown[:12]}: {path}"
        fix = "write one value a class, lossless; a program may declare the values with mask_values of MedicalReader"
        raise ImageError(what, expected=expected, fix=fix, kind="values")
    if all(mapping[value] == value for value in found):
        return array.astype(np.uint8), []
    indices = np.zeros(array.shape, np.uint8)
    for value in found:
        indices[array == value] = mapping[value]
    return indices, []


def _found(array: np.ndarray) -> list[float]:
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)  # Pillow stores True as 255, so no view
    if array.dtype in (np.uint8, np.uint16):
        return np.flatnonzero(np.bincount(array.ravel())).tolist()  # counting instead of sorting, as np.unique does
    return np.unique(array).tolist()


def _luminance(indices: np.ndarray, palette: np.ndarray, path: Path, classes: int) -> np.ndarray:
    used = _found(indices)
    if len(palette) == 2 and classes == 2:
        dark, bright = palette.sum(axis=1)
        return indices if bright > dark else 1 - indices
    if used[-1] < len(palette) and all(np.ptp(palette[int(index)]) == 0 for index in used):
        return palette[:, 0].astype(np.uint8)[indices]
    if len(used) == 2 and classes == 2 and used[-1] < len(palette):
        first, second = used
        brighter = second if palette[int(second)].sum() > palette[int(first)].sum() else first
        return (indices == brighter).astype(np.uint8)
    fix = "save grey values; a program may declare the palette with mask_values of MedicalReader"
    what = f"mask with undeclared values, a palette of {len(palette)} colours: {path}"
    raise ImageError(what, expected="two colours, or grey ones", fix=fix, kind="values")
