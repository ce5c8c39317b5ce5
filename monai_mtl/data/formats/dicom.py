"""One frame of a DICOM file, in MONOCHROME2 polarity, with no more of its header than is needed."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import error as StructError
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.misc import is_dicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from ...errors import ImageError
from .options import COPY, Decoded, ReadOptions, refuse_large, shorten

__all__ = ["list_series", "read_dicom", "read_dicom_size"]

NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelRepresentation")
GREY = ("MONOCHROME1", "MONOCHROME2")
FAULTS = (AttributeError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, RecursionError)
FAULTS += (RuntimeError, StructError, TypeError, ValueError, zlib.error)  # type: ignore[assignment]
CHUNK = 1 << 20
BARE: dict[Any, UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Transfer syntax of a file that names none, by what pydicom found: implicit VR, little endian."""
PERCENTILES = (0.5, 99.5)
"""What ``voi="percentile"`` clips to, in percent of the pixels."""


def read_dicom(path: Path, options: ReadOptions) -> Decoded:
    """Decode a single frame.

    Modality LUT or rescale are applied, then what ``options.voi`` says; MONOCHROME1 is inverted within its
    range, so that larger is always brighter; a palette becomes colours.

    Args:
        path: File.
        options: ``voi``, ``frame``, ``force`` and ``max_bytes`` count.

    Returns:
        Array ``(H, W)`` or ``(H, W, 3)``, bits stored, and meta data without identity.

    Raises:
        ImageError: If the file is damaged, holds no single frame and none is chosen, or is too large.
    """
    header = _header(path, options)
    frames = _refuse_size(header, path, options)
    try:
        array = _frame(header, options.frame if frames > 1 else None)
        if array.shape[:2] != (header.Rows, header.Columns):
            raise ValueError(f"decoded {array.shape[:2]} pixels, the header says {header.Rows} x {header.Columns}")
        array = _meaning(array, header, options.voi)
        meta = _meta(header, options.voi)
    except FAULTS as error:
        raise ImageError(f"cannot decode {path}: {shorten(error)}", fix=_fix(error)) from error
    return Decoded(array, int(header.BitsStored), meta)


def read_dicom_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged.
    """
    try:
        wanted = ["Rows", "Columns"]
        header = pydicom.dcmread(path, specific_tags=wanted, stop_before_pixels=True, force=options.force)
        return int(header.Columns), int(header.Rows)
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error


def list_series(folder: Path) -> list[str]:
    """One line for each DICOM series in a folder: modality, number of files, and the name of one."""
    found: dict[str, list[Path]] = {}
    modality: dict[str, str] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        try:
            header = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID", "Modality"], stop_before_pixels=True)
        except FAULTS:
            continue  # not DICOM
        series = str(header.get("SeriesInstanceUID") or "")
        found.setdefault(series, []).append(path)
        modality[series] = str(header.get("Modality") or "?")
    return [f"series of {len(files)} ({modality[name]}), such as {files[0].name}" for name, files in found.items()]


def _header(path: Path, options: ReadOptions) -> pydicom.Dataset:
    try:
        if path.stat().st_size > options.max_bytes:
            raise ValueError(f"more than {options.max_bytes} bytes")
        bare = options.force and not is_dicom(path)
        if not bare:
            meta = pydicom.filereader.read_file_meta_info(path)
            if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                _refuse_bomb(path, options.max_bytes)
        header = pydicom.dcmread(path, force=bare)
        if bare and "TransferSyntaxUID" not in header.file_meta:
            header.file_meta.TransferSyntaxUID = BARE[header.original_encoding]
        missing = [name for name in (*NEEDED, "PixelData") if header.get(name) is None]
    except InvalidDicomError as error:
        fix = "export it again, or read it with force=True of MedicalReader"
        raise ImageError(f"cannot read {path}: no DICOM preamble", fix=fix) from error
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error
    if missing:
        raise ImageError(f"{path} holds no image: no {', '.join(missing)}", fix="leave it out")
    return header


def _frame(header: pydicom.Dataset, index: int | None) -> np.ndarray:
    # One decoder a syntax, so that the result does not depend on what else is installed.
    syntax = header.file_meta.TransferSyntaxUID
    plugin = ("pillow" if syntax == JPEGBaseline8Bit else "pylibjpeg") if syntax.is_compressed else ""
    return pixel_array(header, index=index, decoding_plugin=plugin, view_only=True)


def _refuse_bomb(path: Path, max_bytes: int) -> None:
    """Inflate a deflated data set piece by piece, keeping nothing, to see how large it gets."""
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")  # after the group length of the file meta information
    inflater, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, content[start:]
    while rest and not inflater.eof:
        total += len(inflater.decompress(rest, CHUNK))
        rest = inflater.unconsumed_tail
        if total > max_bytes:
            raise ValueError(f"inflates to more than {max_bytes} bytes")


def _refuse_size(header: pydicom.Dataset, path: Path, options: ReadOptions) -> int:
    """Number of frames, after everything that the header promises was compared with the file."""
    try:
        pixels = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1)
        frames, allocated = int(header.get("NumberOfFrames") or 1), int(header.BitsAllocated)
        compressed = header.file_meta.TransferSyntaxUID.is_compressed
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
        size, expected = len(header.PixelData), -(-stored * frames * allocated // 8)
        if size not in (expected, expected + expected % 2):
            raise ImageError(f"{path} holds {size} bytes of pixels", expected=f"{expected}, says its header", fix=COPY)
    return frames


def _meaning(array: np.ndarray, header: pydicom.Dataset, voi: str) -> np.ndarray:
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(array, header)
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours
    if photometric not in GREY:
        return array
    bits, signed = int(header.BitsStored), bool(header.PixelRepresentation)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    slope, intercept = float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))
    if header.get("ModalityLUTSequence"):
        array = apply_modality_lut(array, header)
        ends = np.array([0, (1 << int(header.ModalityLUTSequence[0].LUTDescriptor[2])) - 1])
    elif (slope, intercept) != (1, 0):
        array, ends = array * np.float32(slope) + np.float32(intercept), ends * slope + intercept
    if voi == "voi" and (header.get("VOILUTSequence") or header.get("WindowCenter") is not None):
        if header.get("VOILUTSequence"):
            ends = np.array([0, (1 << int(header.VOILUTSequence[0].LUTDescriptor[2])) - 1])
        array = apply_voi_lut(array, header)
    if voi == "percentile":
        array = np.clip(array, *np.percentile(array, PERCENTILES).astype(array.dtype))
    return ends.sum().astype(array.dtype) - array if photometric == "MONOCHROME1" else array


def _meta(header: pydicom.Dataset, voi: str) -> dict[str, Any]:
    """A white list: nothing in here tells who, when or where."""
    spacing, source = _spacing(header)
    orientation = header.get("PatientOrientation") or ""
    # Digitised film (CBIS-DDSM) writes the view there.
    view = str(header.get("ViewPosition") or (orientation if isinstance(orientation, str) else ""))
    side = str(header.get("ImageLaterality") or header.get("Laterality") or "")
    return {
        "modality": str(header.get("Modality") or ""),
        "laterality": side if side in ("L", "R", "B") else "",
        "view": {"ML": "ML", "MLO": "MLO", "CC": "CC", "LM": "LM", "LMO": "LMO"}.get(view, ""),
        "photometric": str(header.PhotometricInterpretation),
        "voi": voi,
        "spacing": spacing,
        "spacing_source": source,
    }


def _spacing(header: pydicom.Dataset) -> tuple[np.ndarray, str]:
    """Millimetres in x and y, and which plane they lie in; nan where nothing states them."""
    detector, pixel = (_pair(header.get(name)) for name in ("ImagerPixelSpacing", "PixelSpacing"))
    if pixel is not None and (detector is None or not np.array_equal(pixel, detector)):
        return pixel, "PixelSpacing"
    if detector is None:
        return np.full(2, np.nan), "none"
    factor = float(header.get("EstimatedRadiographicMagnificationFactor") or 0)
    if factor > 0:
        return detector / factor, "ImagerPixelSpacing / magnification"
    return detector, "ImagerPixelSpacing (detector plane)"


def _pair(value: Any) -> np.ndarray | None:
    pair = np.array([float(v) for v in value] if value is not None else [])[::-1]
    return pair if pair.shape == (2,) and bool((np.isfinite(pair) & (pair > 0)).all()) else None


def _fix(error: BaseException) -> str:
    missing = "plugin" in str(error) or "depend" in str(error)
    return "pip install 'monai-mtl[jpeg]'" if missing else COPY
