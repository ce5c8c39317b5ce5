"""One slice in a NIfTI file, read to its last byte."""

from __future__ import annotations

import gzip
import logging
import zlib
from pathlib import Path
from typing import IO, Any, cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from ...errors import ImageError

__all__ = ["read_nifti", "read_nifti_size"]

logger = logging.getLogger("monai_mtl")

HEADERS = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}
ROOM = 1 << 20
"""What a header with its extensions may take on top of the pixels."""
COPY = "copy or export the file again"
FAULTS = (EOFError, HeaderDataError, ImageFileError, OSError, OverflowError, TypeError, ValueError, zlib.error)


def read_nifti(path: Path, max_bytes: int) -> tuple[np.ndarray, int, dict[str, Any]]:
    """Decode a file that holds one slice.

    A compressed stream is read to its end, so that its checksum counts: nibabel alone stops after the last
    voxel and never sees it.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        max_bytes: Largest size of the decoded image.

    Returns:
        Array ``(H, W)`` (the file's first axis is x), bits a pixel, and meta data.

    Raises:
        ImageError: If the file is damaged, too large, or holds no single slice.
    """
    content = _content(path, max_bytes + ROOM)
    try:
        image = _open(content)
        shape, header = image.shape, image.header
        _refuse_shape(shape, path)
        needed = int(np.prod(shape, dtype=object)) * header.get_data_dtype().itemsize
        if needed > max_bytes:
            raise ValueError(f"{needed} bytes of pixels, more than {max_bytes}")
        if len(content) < int(header["vox_offset"]) + needed:
            raise ValueError(f"{len(content)} bytes, its header needs {int(header['vox_offset']) + needed}")
        spacing = np.array(header.get_zooms()[:2], dtype=float)
        if not bool((np.isfinite(spacing) & (spacing > 0)).all()):
            raise ValueError(f"pixel spacing {spacing.tolist()}")
        if header.get_data_dtype().kind not in "iuf":
            raise ValueError(f"pixels of type {header.get_data_dtype()}")
        array = np.asanyarray(image.dataobj).reshape(shape[:2])
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {' '.join(str(error).split())[:200]}", fix=COPY) from error
    if not np.isfinite(header.get_sform()).all():
        logger.warning("%s: its sform is not finite and was left out; spacing from pixdim", path.name)
    elif int(header["qform_code"]) == int(header["sform_code"]) == 0:
        logger.warning("%s: no orientation (qform and sform are 0): left and right are not known", path.name)
    return array.T, 8 * header.get_data_dtype().itemsize, {"spacing": spacing, "spacing_source": "pixdim"}


def read_nifti_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged or says that the file is no single slice.
    """
    try:
        with _stream(path) as file:
            shape = _open(file.read(1024) + bytes(1024)).shape
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {' '.join(str(error).split())[:200]}", fix=COPY) from error
    _refuse_shape(shape, path)
    return int(shape[0]), int(shape[1])


def _content(path: Path, limit: int) -> bytes:
    try:
        with _stream(path) as file:
            content = file.read(limit + 1)
            if len(content) > limit or file.read(1):
                raise ValueError(f"more than {limit} bytes")
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {' '.join(str(error).split())[:200]}", fix=COPY) from error
    return content


def _open(content: bytes) -> nibabel.Nifti1Image:
    kind = HEADERS.get(int.from_bytes(content[:4], "little")) or HEADERS.get(int.from_bytes(content[:4], "big"))
    if kind is None:
        raise ValueError("not a NIfTI file")
    return kind.from_bytes(content)


def _refuse_shape(shape: tuple[int, ...], path: Path) -> None:
    if len(shape) < 2 or min(shape) < 1 or any(side != 1 for side in shape[2:]):
        what = f"{path} holds {' x '.join(map(str, shape))} voxels"
        raise ImageError(what, expected="one slice", fix="save one slice a file")


def _stream(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.GzipFile(path)) if compressed else path.open("rb")
