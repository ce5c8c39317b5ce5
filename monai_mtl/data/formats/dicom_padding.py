"""Pixels of a DICOM file that only fill its rectangle (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom

__all__ = ["blacken", "find_padding"]

WORD = 1 << 16


def find_padding(stored: np.ndarray, header: pydicom.Dataset) -> np.ndarray | None:
    """Where an image in grey is padding.

    Args:
        stored: Values ``(H, W)`` before any rescale, which the tags speak of.
        header: With ``PixelPaddingValue``, and ``PixelPaddingRangeLimit`` if any value between both is padding.

    Returns:
        Booleans ``(H, W)``; None where no pixel, or every one, is padding.
    """
    signed = bool(header.PixelRepresentation)
    value, limit = (_number(header.get(f"PixelPadding{name}"), signed) for name in ("Value", "RangeLimit"))
    if value is None:
        return None
    ends = (value, value if limit is None else limit)  # either may be the larger one
    padded: np.ndarray = (stored >= min(ends)) & (stored <= max(ends))
    return padded if padded.any() and not padded.all() else None


def _number(value: Any, signed: bool) -> int | None:
    """The tag's number as the pixels hold it: some files write -2000 as 63536, and the other way round."""
    if not isinstance(value, int):
        return None
    word = value % WORD
    return word - WORD if signed and word >= WORD // 2 else word


def blacken(array: np.ndarray, padded: np.ndarray) -> np.ndarray:
    """A copy whose padding has the darkest value of the other pixels.

    Args:
        array: Values ``(H, W)``, larger is brighter.
        padded: As :func:`find_padding` gives it.
    """
    darkest = array.min(where=~padded, initial=array.max())
    return np.where(padded, darkest, array).astype(array.dtype, copy=False)
