"""MetaImage, NRRD and MINC by ITK, where it is installed."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from .options import COPY, Decoded, ReadOptions, refuse_large, shorten

__all__ = ["read_insight", "read_insight_size"]

STATES_SPACING = re.compile(rb"^(ElementSpacing|ElementSize|spacings|space directions)\b", re.IGNORECASE | re.MULTILINE)
HEADER = 1 << 16
"""Bytes in which a text header is looked for."""
FAULTS = (AttributeError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


def read_insight(path: Path, content: str, options: ReadOptions) -> Decoded:
    """Decode one slice.

    Args:
        path: File.
        content: ``"MetaImage"``, ``"NRRD"`` or ``"MINC"``.
        options: ``frame`` (index along the third axis) and ``max_bytes`` count.

    Returns:
        Array ``(H, W)`` or ``(H, W, 3)``, bits a sample, and meta data.

    Raises:
        ImageError: If ITK is not installed, or the file is damaged, too large, or holds no single slice and
            none is chosen.
    """
    itk = _itk(path)
    shape, components = _header(itk, path)
    refuse_large(path, math.prod(shape) * components, options)
    index = _slice(shape, path, options.frame)
    try:
        image = itk.imread(str(path))
        array = np.asarray(itk.array_from_image(image))[index]
        spacing = np.array([float(step) for step in image.GetSpacing()][:2])
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    meta: dict[str, Any] = {}
    with path.open("rb") as file:
        # ITK answers 1.0 where the header states nothing.
        stated = content == "MINC" or STATES_SPACING.search(file.read(HEADER))
    if stated and bool((np.isfinite(spacing) & (spacing > 0)).all()):
        meta = {"spacing": spacing, "spacing_source": f"{content} header"}
    return Decoded(array, 8 * array.dtype.itemsize, meta)


def read_insight_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: As :func:`read_insight`.
    """
    shape, _ = _header(_itk(path), path)
    _slice(shape, path, options.frame)
    return shape[0], shape[1]


def _itk(path: Path) -> Any:
    try:
        import itk  # here, because it takes seconds and most need none of it
    except ImportError as error:
        raise ImageError(f"cannot read {path}: ITK is not installed", fix="pip install 'monai-mtl[itk]'") from error
    return itk


def _header(itk: Any, path: Path) -> tuple[tuple[int, ...], int]:
    """Sides of the image, x first, and components a pixel."""
    try:
        reader = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
        if reader is None:
            raise ValueError("ITK does not know what it is")
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        sides = tuple(int(reader.GetDimensions(axis)) for axis in range(reader.GetNumberOfDimensions()))
        return sides, int(reader.GetNumberOfComponents())
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error


def _slice(shape: tuple[int, ...], path: Path, frame: int | None) -> tuple[int, ...]:
    slices = shape[2] if len(shape) > 2 else 1
    if len(shape) not in (2, 3) or min(shape) < 1 or (frame is None and slices != 1):
        fix = "save one slice a file, or name one with frame of MedicalReader"
        what = f"{path} holds {' x '.join(map(str, shape))} voxels"
        raise ImageError(what, expected="one slice", fix=fix, kind="frames")
    if frame is not None and frame >= slices:
        raise ImageError(f"{path} has no slice {frame}", expected=f"0..{slices - 1}", kind="frames")
    return (frame or 0,) if len(shape) == 3 else ()
