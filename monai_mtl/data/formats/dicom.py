"""One frame of a DICOM file, in MONOCHROME2 polarity, with no more of its header than is needed."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import error as StructError
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from ...errors import ImageError

__all__ = ["VOI_RULES", "read_dicom", "read_dicom_size"]

VOI_RULES = ("none", "voi")
NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelRepresentation")
GREY = ("MONOCHROME1", "MONOCHROME2")
COPY = "copy or export the file again"
FAULTS = (AttributeError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, RecursionError)
FAULTS += (RuntimeError, StructError, TypeError, ValueError, zlib.error)  # type: ignore[assignment]
CHUNK = 1 << 20


def read_dicom(path: Path, voi: str, max_bytes: int) -> tuple[np.ndarray, int, dict[str, Any]]:
    """Decode a single frame.

    Modality LUT or rescale are applied, then the VOI LUT or window if ``voi`` is ``"voi"``; MONOCHROME1 is
    inverted within its range, so that larger is always brighter.

    Args:
        path: File with the DICOM preamble.
        voi: ``"none"`` or ``"voi"``.
        max_bytes: Largest size of the decoded image; compared with the header before decoding.

    Returns:
        Array ``(H, W)`` or ``(H, W, 3)``, bits stored, and meta data without identity.

    Raises:
        ImageError: If the file is damaged, holds no single frame, or is too large.
    """
    header = _header(path, max_bytes)
    _refuse_size(header, path, max_bytes)
    try:
        # One decoder a syntax, so that the result does not depend on what else is installed.
        jpeg = header.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
        compressed = header.file_meta.TransferSyntaxUID.is_compressed
        plugin = ("pillow" if jpeg else "pylibjpeg") if compressed else ""
        array = pixel_array(header, decoding_plugin=plugin)
        if array.shape[:2] != (header.Rows, header.Columns):
            raise ValueError(f"decoded {array.shape[:2]} pixels, the header says {header.Rows} x {header.Columns}")
        array = _meaning(array, header, voi)
    except FAULTS as error:
        raise ImageError(f"cannot decode {path}: {_short(error)}", fix=_fix(error)) from error
    return array, int(header.BitsStored), _meta(header, voi)


def read_dicom_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged.
    """
    try:
        header = pydicom.dcmread(path, specific_tags=["Rows", "Columns"], stop_before_pixels=True)
        return int(header.Columns), int(header.Rows)
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {_short(error)}", fix=COPY) from error


def _header(path: Path, max_bytes: int) -> pydicom.Dataset:
    try:
        if path.stat().st_size > max_bytes:
            raise ValueError(f"more than {max_bytes} bytes")
        meta = pydicom.filereader.read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            _refuse_bomb(path, max_bytes)
        header = pydicom.dcmread(path)
        missing = [name for name in (*NEEDED, "PixelData") if header.get(name) is None]
        frames = int(header.get("NumberOfFrames") or 1)
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {_short(error)}", fix=COPY) from error
    if missing:
        raise ImageError(f"{path} holds no image: no {', '.join(missing)}", fix="leave it out")
    if frames != 1:
        raise ImageError(f"{path} holds {frames} frames", expected="one", fix="save one frame a file")
    return header


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


def _refuse_size(header: pydicom.Dataset, path: Path, max_bytes: int) -> None:
    pixels = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1)
    if pixels * 4 > max_bytes:
        what = f"{path} says {header.Rows} x {header.Columns} pixels, {pixels * 4} bytes when decoded"
        raise ImageError(what, expected=f"at most {max_bytes}", fix="raise max_bytes of MedicalReader if so")
    if not header.file_meta.TransferSyntaxUID.is_compressed:
        size, expected = len(header.PixelData), -(-pixels * int(header.BitsAllocated) // 8)
        if size not in (expected, expected + expected % 2):
            raise ImageError(f"{path} holds {size} bytes of pixels", expected=f"{expected}, says its header", fix=COPY)


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
    if photometric == "MONOCHROME1":
        total = ends.sum()
        array = (total - array.astype(np.float32 if array.dtype.kind == "f" else np.int64)).astype(array.dtype)
    return array


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


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _fix(error: BaseException) -> str:
    missing = "plugin" in str(error) or "depend" in str(error)
    return "pip install 'monai-mtl[jpeg]'" if missing else COPY
