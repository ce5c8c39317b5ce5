"""One slice in a NIfTI file, read to its last byte."""

from __future__ import annotations

import gzip
import math
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, cast

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from ...errors import ImageError
from .options import COPY, Decoded, ReadOptions, refuse_large, refuse_large_file, shorten

__all__ = ["read_nifti", "read_nifti_size"]

HEADERS = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}
RGB = ("R", "G", "B")
"""Fields of a pixel in colour, as nibabel calls them."""
MILLIMETRES = {1: 1e3, 2: 1.0, 3: 1e-3}
"""In a unit of space, by its code; code 0 states none."""
ROOM = 1 << 20
"""What a header with its extensions may take on top of the pixels."""
FAULTS = (EOFError, HeaderDataError, ImageFileError, OSError, OverflowError, TypeError, ValueError, zlib.error)
FAULTS += (WrapStructError,)  # type: ignore[assignment]


def read_nifti(path: Path, options: ReadOptions) -> Decoded:
    """Decode one slice.

    A compressed stream is read to its end, so that its checksum counts: nibabel alone stops after the last
    voxel and never sees it.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        options: ``frame`` (index along the third axis) and ``max_bytes`` count.

    Returns:
        Array ``(H, W)`` or, of the type RGB24, ``(H, W, 3)`` (the file's first axis is x), bits of a sample, and meta
        data.

    Raises:
        ImageError: If the file is damaged, too large, or holds no single slice and none is chosen.
    """
    try:
        content = _content(path, options)
        image = _open(content)
        shape, header = image.shape, image.header
        index = _slice(shape, path, options.frame)
        dtype = header.get_data_dtype()
        colours = dtype.names == RGB
        refuse_large(path, int(shape[0]) * int(shape[1]) * (len(RGB) if colours else 1), options)
        needed = int(header["vox_offset"]) + math.prod(map(int, shape)) * dtype.itemsize
        if len(content) < needed:
            raise ValueError(f"{len(content)} bytes, its header needs {needed}")
        # Unchecked, because nibabel makes a spacing of 0 one of 1.
        unchecked = type(header).from_fileobj(BytesIO(content), check=False)
        spacing = np.abs(unchecked["pixdim"][1:3].astype(float))
        if not bool((np.isfinite(spacing) & (spacing > 0)).all()):
            raise ValueError(f"pixel spacing {spacing.tolist()}")
        if dtype.kind not in "iuf" and not colours:
            raise ValueError(f"pixels of type {dtype}")
        array = np.asanyarray(image.dataobj[index]).T
        if colours:
            array = np.stack([array[name] for name in RGB], axis=-1)
        unit = int(header["xyzt_units"]) & 7
        if unit not in (0, *MILLIMETRES):
            raise ValueError(f"unit of space {unit}, which means nothing")
        spacing *= MILLIMETRES.get(unit, 1.0)
        broken, codes = not np.isfinite(header.get_sform()).all(), (header["qform_code"], header["sform_code"])
    except ImageError:
        raise
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    notices = ["its sform is not finite and was left out; spacing from pixdim"] if broken else []
    notices += ["no orientation (qform and sform are 0): left and right are not known"] if codes == (0, 0) else []
    source = "pixdim" if unit in MILLIMETRES else "pixdim (no unit stated, taken as mm)"
    meta = {"spacing": spacing, "spacing_source": source, "notices": notices}
    return Decoded(array, 8 if colours else 8 * dtype.itemsize, meta)


def read_nifti_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged or says that the file is no single slice.
    """
    try:
        with _stream(path) as file:
            shape = _open(file.read(1024) + bytes(1024)).shape
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    _slice(shape, path, options.frame)
    return int(shape[0]), int(shape[1])


def _content(path: Path, options: ReadOptions) -> bytes:
    limit = options.max_bytes + ROOM
    with _stream(path) as file:
        content = file.read(limit + 1)
        refuse_large_file(path, len(content) - ROOM, options)
        file.read(1)  # to the checksum of a compressed stream
    return content


def _open(content: bytes) -> nibabel.Nifti1Image:
    kind = HEADERS.get(int.from_bytes(content[:4], "little")) or HEADERS.get(int.from_bytes(content[:4], "big"))
    if kind is None:
        raise ValueError("not a NIfTI file")
    return kind.from_bytes(content)


def _slice(shape: tuple[int, ...], path: Path, frame: int | None) -> tuple[slice | int, ...]:
    """Index of the slice to read; refuses volumes unless ``frame`` says which of theirs."""
    slices = shape[2] if len(shape) > 2 else 1
    held = " x ".join(map(str, shape))
    if len(shape) < 2 or min(shape) < 1 or any(side != 1 for side in shape[3:]):
        raise ImageError(
            f"{path} holds {held} voxels", expected="one slice", fix="save one slice a file", kind="frames"
        )
    if frame is None and slices != 1:
        fix = "save one slice a file, or name one with frame of MedicalReader"
        raise ImageError(f"{path} holds {held} voxels", expected="one slice", fix=fix, kind="frames")
    if frame is not None and frame >= slices:
        raise ImageError(f"{path} has no slice {frame}", expected=f"0..{slices - 1}", kind="frames")
    return (slice(None), slice(None), *([frame or 0] if len(shape) > 2 else []), *[0] * (len(shape) - 3))


def _stream(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.GzipFile(path)) if compressed else path.open("rb")
