"""What the pixels of a DICOM file mean: values, polarity, colours, spacing, side and view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

__all__ = ["describe", "physical_values"]

GREY = ("MONOCHROME1", "MONOCHROME2")
PERCENTILES = (0.5, 99.5)
"""What ``voi="percentile"`` clips to, in percent of the pixels."""


def physical_values(array: np.ndarray, header: pydicom.Dataset, voi: str) -> np.ndarray:
    """Apply the palette, or the modality LUT or rescale, then ``voi``, then the polarity.

    Args:
        array: Stored values ``(H, W)`` or ``(H, W, 3)``.
        header: The data set.
        voi: One of ``monai_mtl.data.formats.options.VOI_RULES``.

    Returns:
        Values of which larger is brighter, or colours.
    """
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        if not header.original_encoding[1]:
            _make_palette_little(header)
        colours = apply_color_lut(array, header)
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours
    if photometric not in GREY:
        return array
    bits, signed = int(header.BitsStored), bool(header.PixelRepresentation)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    slope, intercept = float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))
    if not max(abs(slope), abs(intercept)) <= np.finfo(np.float32).max:
        raise ValueError(f"rescale slope {slope}, intercept {intercept}")
    if header.get("ModalityLUTSequence"):
        array = apply_modality_lut(array, header)
        ends = np.array([0, (1 << int(header.ModalityLUTSequence[0].LUTDescriptor[2])) - 1])
    elif (slope, intercept) != (1, 0):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
            array, ends = array * np.float32(slope) + np.float32(intercept), ends * slope + intercept
    if voi == "voi" and (header.get("VOILUTSequence") or header.get("WindowCenter") is not None):
        if header.get("VOILUTSequence"):
            ends = np.array([0, (1 << int(header.VOILUTSequence[0].LUTDescriptor[2])) - 1])
        array = apply_voi_lut(array, header)
    if voi == "percentile":
        array = np.clip(array, *np.percentile(array, PERCENTILES).astype(array.dtype))
    return ends.sum().astype(array.dtype) - array if photometric == "MONOCHROME1" else array


def _make_palette_little(header: pydicom.Dataset) -> None:
    """Swap the bytes of a big-endian palette, which pydicom reads as little-endian whatever the file says."""
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        if name not in header:
            continue  # a segmented palette, which it reads as it should
        setattr(header, name, np.frombuffer(header[name].value, ">u2").astype("<u2").tobytes())


def describe(header: pydicom.Dataset, voi: str) -> dict[str, Any]:
    """Meta data by a white list: nothing in here tells who, when or where."""
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
    pair = np.array([float(v) for v in value] if value is not None else [])[::-1].copy()
    return pair if pair.shape == (2,) and bool((np.isfinite(pair) & (pair > 0)).all()) else None
