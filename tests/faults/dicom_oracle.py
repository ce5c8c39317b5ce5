"""Pixels of pydicom's own files, computed from their tables by hand."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pydicom

CHANNELS = ("Red", "Green", "Blue")


def modality_lut(path: Path) -> np.ndarray:
    """The first entry of the table belongs to the first value it maps."""
    dataset = pydicom.dcmread(path)
    item = dataset.ModalityLUTSequence[0]
    count, start, _ = item.LUTDescriptor
    return np.array(item.LUTData)[np.clip(dataset.pixel_array.astype(int) - start, 0, count - 1)]


def voi_lut(path: Path) -> np.ndarray:
    """As :func:`modality_lut`."""
    dataset = pydicom.dcmread(path)
    item = dataset.VOILUTSequence[0]
    return np.array(item.LUTData)[dataset.pixel_array.astype(int) - item.LUTDescriptor[1]]


def palette(path: Path) -> np.ndarray:
    """The upper byte of each entry of the three tables, ``(3, H, W)``."""
    dataset = pydicom.dcmread(path)
    tables = [np.frombuffer(dataset[f"{c}PaletteColorLookupTableData"].value, "<u2") for c in CHANNELS]
    return np.stack([(table >> 8)[dataset.pixel_array] for table in tables])


def segmented_palette(path: Path) -> np.ndarray:
    """The same with tables that are written as pieces (PS3.3 C.7.9.2)."""
    dataset = pydicom.dcmread(path)
    names = [f"Segmented{c}PaletteColorLookupTableData" for c in CHANNELS]
    tables = [_unfold(np.frombuffer(dataset[name].value, "<u2").tolist()) for name in names]
    return np.stack([np.floor(table / 256)[dataset.pixel_array] for table in tables])


def gdcm_crc(path: Path, wanted: int) -> np.ndarray:
    """Pixels by pydicom, after their checksum was found to be that of GDCM's decoder (by ITK 5.4.7)."""
    stored = pydicom.dcmread(path).pixel_array
    found = zlib.crc32(stored.astype("<u2").tobytes())
    if found != wanted:
        raise ValueError(f"{path.name}: checksum {found}, GDCM has {wanted}")
    return stored


def _unfold(words: list[int]) -> np.ndarray:
    values: list[float] = []
    at = 0
    while at < len(words):
        kind, length = words[at], words[at + 1]
        if kind == 0:  # as they are
            values += words[at + 2 : at + 2 + length]
            at += 2 + length
        elif kind == 1:  # a straight line
            values += np.linspace(values[-1], words[at + 2], length + 1)[1:].tolist()
            at += 3
        else:
            raise ValueError(f"segment of kind {kind}")
    return np.array(values)
