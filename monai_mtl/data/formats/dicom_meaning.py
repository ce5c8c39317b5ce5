"""What the pixels of a DICOM file mean: values, polarity, colours, spacing, side and view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from .dicom_padding import blacken, find_padding
from .ultrasound import SOURCE, calibration

__all__ = ["describe", "physical_values"]

GREY = ("MONOCHROME1", "MONOCHROME2")
LARGEST = float(np.finfo(np.float32).max)
RESCALE = (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
AGREE = 0.01
"""Share by which two statements of the spacing may differ: they are rounded."""
PERCENTILES = (0.5, 99.5)
"""What ``voi="percentile"`` clips to, in percent of the pixels."""


def physical_values(array: np.ndarray, header: pydicom.Dataset, voi: str) -> tuple[np.ndarray, list[str]]:
    """Apply the palette, or the modality LUT or rescale, then ``voi``, then the polarity; padding becomes dark.

    Args:
        array: Stored values ``(H, W)`` or ``(H, W, 3)``.
        header: The data set.
        voi: One of ``monai_mtl.data.formats.options.VOI_RULES``.

    Returns:
        Values of which larger is brighter, or colours; and notices.
    """
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        if not header.original_encoding[1]:
            _make_palette_little(header)
        colours = apply_color_lut(array, header)
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours, []
    if photometric not in GREY:
        return array, []
    bits, signed = int(header.BitsStored), bool(header.PixelRepresentation)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    if not signed and array.max(initial=0) > ends[1]:
        array = array & array.dtype.type(ends[1])  # some decoders leave what stands in unused bits
    padded = find_padding(array, header)
    slope, intercept = (_number(header.get(name), normal) for name, normal in RESCALE)
    if slope == 0:
        raise ValueError("RescaleSlope 0 leaves nothing of the pixels")
    if not max(abs(slope), abs(intercept)) <= LARGEST:
        raise ValueError(f"rescale slope {slope}, intercept {intercept}")
    if header.get("ModalityLUTSequence"):
        array = apply_modality_lut(array, header)
        ends = np.array([0, (1 << int(header.ModalityLUTSequence[0].LUTDescriptor[2])) - 1])
    elif (slope, intercept) != (1, 0):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
            array, ends = array * np.float32(slope) + np.float32(intercept), ends * slope + intercept
    if voi == "voi" and states_voi(header):
        if header.get("VOILUTSequence"):
            ends = np.array([0, (1 << int(header.VOILUTSequence[0].LUTDescriptor[2])) - 1])
        array = apply_voi_lut(array, header)
    if voi == "percentile":
        seen = array if padded is None else array[~padded]
        array = np.clip(array, *np.percentile(seen, PERCENTILES).astype(array.dtype))
    array = ends.sum().astype(array.dtype) - array if photometric == "MONOCHROME1" else array
    if padded is None:
        return array, []
    return blacken(array, padded), [f"{padded.sum()} of {padded.size} pixels are padding, now as dark as the darkest"]


def states_voi(header: pydicom.Dataset) -> bool:
    """Whether the file states a VOI LUT or a whole window."""
    window = [header.get(name) for name in ("WindowCenter", "WindowWidth")]
    return bool(header.get("VOILUTSequence")) or all(value not in (None, "") for value in window)


def _number(value: Any, normal: float) -> float:
    """A header's number, or what an empty one stands for."""
    return normal if value in (None, "") else float(value)


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
    calibrated = {}
    if (regions := calibration(header)) is not None:
        if source == "none":
            (spacing, calibrated["calibrated_xyxy"]), source = regions, SOURCE
        elif not np.allclose(regions[0], spacing, rtol=AGREE):
            spacing, source = np.full(2, np.nan), "none"  # two statements that exclude each other are none
    orientation = header.get("PatientOrientation") or ""
    # Digitised film (CBIS-DDSM) writes the view there.
    view = str(header.get("ViewPosition") or (orientation if isinstance(orientation, str) else ""))
    side = str(header.get("ImageLaterality") or header.get("Laterality") or "")
    return {
        "modality": str(header.get("Modality") or ""),
        "laterality": side if side in ("L", "R", "B") else "",
        "view": {"ML": "ML", "MLO": "MLO", "CC": "CC", "LM": "LM", "LMO": "LMO"}.get(view, ""),
        "photometric": str(header.PhotometricInterpretation),
        "voi": voi if voi != "voi" or states_voi(header) else "none",
        "spacing": spacing,
        "spacing_source": source,
        **calibrated,
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
