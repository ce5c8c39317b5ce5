"""What a DICOM header promises, compared with the file before anything is decoded."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import error as StructError
from typing import Any, BinaryIO, NamedTuple

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_file_meta_info, read_preamble
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

__all__ = ["FAULTS", "Plain", "check_promises", "read_header", "use_frame_groups"]

NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelRepresentation")
FAULTS = (AttributeError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, RecursionError)
FAULTS += (RuntimeError, StructError, TypeError, ValueError, zlib.error)  # type: ignore[assignment]
FAULTS += (InvalidDicomError, BytesLengthException)  # type: ignore[assignment]
PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB")
FRAME_GROUPS = ("PixelValueTransformationSequence", "PixelMeasuresSequence", "FrameVOILUTSequence")
"""Functional groups of an enhanced file that say what the values of a frame mean."""
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
        wrong = [] if missing else _impossible(header)
    except ImageError:
        raise
    except InvalidDicomError as error:
        fix = "export it again, or read it with force=True of MedicalReader"
        raise ImageError(f"cannot read {path}: no DICOM preamble", fix=fix) from error
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    if missing:
        raise ImageError(f"{path} holds no image: no {', '.join(missing)}", fix="leave it out")
    if wrong:
        raise ImageError(f"cannot read {path}: {', '.join(wrong)}, which cannot be", fix=COPY)
    return header, plain


def use_frame_groups(header: pydicom.Dataset, index: int) -> None:
    """Put what an enhanced file states for one frame, or for all, where a plain file has it.

    Args:
        header: The data set, which is changed.
        index: Of the frame.
    """
    shared = header.get("SharedFunctionalGroupsSequence") or []
    single = header.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *single[index : index + 1]):
        for name in FRAME_GROUPS:
            for element in (groups.get(name) or [pydicom.Dataset()])[0]:
                header[element.tag] = element


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
        expected, fix = f"0..{frames - 1}", "name another frame of MedicalReader"
        raise ImageError(f"{path} has no frame {options.frame}", expected=expected, fix=fix, kind="frames")
    if options.frame is None and frames != 1:
        fix = "save one frame a file, or name one with frame of MedicalReader"
        raise ImageError(f"{path} holds {frames} frames", expected="one", fix=fix, kind="frames")
    # Chroma of half the width is stored for YBR_FULL_422 only.
    stored = pixels * 2 // 3 if header.PhotometricInterpretation == "YBR_FULL_422" else pixels
    if not compressed:
        needed = -(-stored * frames * allocated // 8)
        if size not in (needed, needed + needed % 2):
            raise ImageError(f"{path} holds {size} bytes of pixels", expected=f"{needed}, says its header", fix=COPY)
    return frames


def _impossible(header: pydicom.Dataset) -> list[str]:
    """What the header says of its pixels that contradicts itself or the standard."""
    allocated, stored = int(header.BitsAllocated), int(header.BitsStored)
    high, photometric = header.get("HighBit"), str(header.PhotometricInterpretation)
    wrong = [] if 1 <= stored <= allocated else [f"BitsStored {stored} of {allocated}"]
    wrong += [] if high is None or int(high) == stored - 1 else [f"HighBit {high} of {stored} bits"]
    known = photometric in PHOTOMETRIC or photometric.startswith("YBR_")
    return wrong + ([] if known else [f"PhotometricInterpretation '{photometric}'"])


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
    with path.open("rb") as file:
        read_preamble(file, False)
        _read_file_meta_info(file)  # leaves the file where the data set begins, whatever the group length says
        rest = file.read()
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while rest and not inflater.eof:
        total += len(inflater.decompress(rest, CHUNK))
        rest = inflater.unconsumed_tail
        refuse_large_file(path, total, options)
