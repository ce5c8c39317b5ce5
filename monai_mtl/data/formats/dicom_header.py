"""What a DICOM header promises, compared with the file before anything is decoded."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import error as StructError
from typing import Any, BinaryIO, NamedTuple

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.misc import is_dicom
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ...errors import ImageError
from .options import COPY, ReadOptions, refuse_large, refuse_large_file, shorten

__all__ = ["FAULTS", "Plain", "check_promises", "read_header"]

NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelRepresentation")
FAULTS = (AttributeError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, RecursionError)
FAULTS += (RuntimeError, StructError, TypeError, ValueError, zlib.error)  # type: ignore[assignment]
FAULTS += (InvalidDicomError, BytesLengthException)  # type: ignore[assignment]
CHUNK = 1 << 20
LITTLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
PIXEL_DATA = b"\xe0\x7f\x10\x00"
BARE: dict[Any, UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Transfer syntax of a file that names none, by what pydicom found: implicit VR, little endian."""


class Plain(NamedTuple):
    """Where uncompressed pixels of 16 unsigned bits lie in a file."""

    offset: int
    length: int


def read_header(path: Path, options: ReadOptions) -> tuple[pydicom.Dataset, Plain | None]:
    """The data set, and where its pixels lie if they are plain; they are not in the data set then.

    Raises:
        ImageError: If the file is damaged, too large, or holds no image.
    """
    try:
        refuse_large_file(path, path.stat().st_size, options)
        bare = options.force and not is_dicom(path)
        if not bare and read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            _refuse_bomb(path, options)
        with path.open("rb") as file:
            header = pydicom.dcmread(file, force=bare, stop_before_pixels=True)
            if bare and "TransferSyntaxUID" not in header.file_meta:
                header.file_meta.TransferSyntaxUID = BARE[header.original_encoding]
            plain = _plain(header, file)
        if plain is None:
            syntax = header.file_meta.TransferSyntaxUID
            header = pydicom.dcmread(path, force=bare)
            header.file_meta.TransferSyntaxUID = syntax
        missing = [name for name in NEEDED if header.get(name) is None]
        missing += [] if plain or "PixelData" in header else ["PixelData"]
    except ImageError:
        raise
    except InvalidDicomError as error:
        fix = "export it again, or read it with force=True of MedicalReader"
        raise ImageError(f"cannot read {path}: no DICOM preamble", fix=fix) from error
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    if missing:
        raise ImageError(f"{path} holds no image: no {', '.join(missing)}", fix="leave it out")
    return header, plain


def check_promises(header: pydicom.Dataset, path: Path, plain: Plain | None, options: ReadOptions) -> int:
    """Number of frames, after size, frames and bytes of pixels were found as the header says.

    Raises:
        ImageError: If they are not, there are too many, or several frames and none is chosen.
    """
    try:
        pixels = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1)
        frames, allocated = int(header.get("NumberOfFrames") or 1), int(header.BitsAllocated)
        compressed = header.file_meta.TransferSyntaxUID.is_compressed
        size = plain.length if plain else len(header.PixelData)
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    refuse_large(path, pixels, options)
    if options.frame is not None and not options.frame < frames:
        raise ImageError(f"{path} has no frame {options.frame}", expected=f"0..{frames - 1}", kind="frames")
    if options.frame is None and frames != 1:
        fix = "save one frame a file, or name one with frame of MedicalReader"
        raise ImageError(f"{path} holds {frames} frames", expected="one", fix=fix, kind="frames")
    # Chroma of half the width is stored for YBR_FULL_422 only.
    stored = pixels * 2 // 3 if header.PhotometricInterpretation == "YBR_FULL_422" else pixels
    if not compressed:
        expected = -(-stored * frames * allocated // 8)
        if size not in (expected, expected + expected % 2):
            raise ImageError(f"{path} holds {size} bytes of pixels", expected=f"{expected}, says its header", fix=COPY)
    return frames


def _plain(header: pydicom.Dataset, file: BinaryIO) -> Plain | None:
    """Place of 16-bit unsigned pixels of one frame and sample; ``file`` stands before them."""
    syntax = header.file_meta.TransferSyntaxUID
    layout = [header.get(name) for name in ("BitsAllocated", "PixelRepresentation")]
    single = int(header.get("SamplesPerPixel") or 1) == int(header.get("NumberOfFrames") or 1) == 1
    if syntax not in LITTLE or layout != [16, 0] or not single or file.read(4) != PIXEL_DATA:
        return None
    length = file.read(4 if syntax == ImplicitVRLittleEndian else 8)[-4:]
    return Plain(file.tell(), int.from_bytes(length, "little"))


def _refuse_bomb(path: Path, options: ReadOptions) -> None:
    """Inflate a deflated data set piece by piece, keeping nothing, to see how large it gets."""
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")  # after the group length of the file meta information
    inflater, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, content[start:]
    while rest and not inflater.eof:
        total += len(inflater.decompress(rest, CHUNK))
        rest = inflater.unconsumed_tail
        refuse_large_file(path, total, options)
