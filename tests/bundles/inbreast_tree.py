"""INbreast as its owners ship it, small: real DICOM files, outlines and a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from ..data.importers.trees import region, write_csv, write_dicom, write_regions
from ..factories import breast

ROWS, COLUMNS = 120, 80
HEADER = "Patient ID,Patient age,Laterality,View,Acquisition date,File Name,ACR,Bi-Rads"
PATIENTS = ("6c613a14b80a8591", "036aff49b8ac84f0", "8d0b9620c53c0268", "b78ba6ae9e8d3d1d", "d8205a09c8173f44")
RADIUS = ROWS / 10


def write_inbreast(folder: Path, **elements: object) -> Path:
    """Two views of each of five patients, 12 bits in 16; the CC view holds a mass.

    Args:
        folder: Where to write ``AllDICOMs/``, ``AllXML/`` and ``INbreast.csv``.
        elements: Of every DICOM header, by keyword.
    """
    rows = []
    for i, patient in enumerate(PATIENTS):
        for side, view, lesion in (("R", "CC", True), ("L", "ML", False)):
            name = str(20586908 + 52 * len(rows))
            path = folder / "AllDICOMs" / f"{name}_{patient}_MG_{side}_{view}_ANON.dcm"
            write_dicom(path, mammogram(lesion, side, seed=2 * i + lesion))
            header = pydicom.dcmread(path)
            header.BitsStored, header.HighBit, header.Modality = 12, 11, "MG"
            header.ImageLaterality, header.ImagerPixelSpacing = side, [0.07, 0.07]
            for keyword, value in elements.items():
                setattr(header, keyword, value)
            header.save_as(path)
            if lesion:
                write_regions(folder / "AllXML" / f"{name}.xml", region("Mass", *outline(side)))
            rows.append(f"removed,removed,{side},{view},201001,{name},2,{5 if lesion else 1}")
    write_csv(folder / "INbreast.csv", HEADER, *rows, delimiter=";")
    return folder


def mammogram(lesion: bool, side: str, seed: int) -> np.ndarray:
    """Values of 12 bits with a tissue of its own; a right breast lies at the right border, as in INbreast."""
    grey, _ = breast(ROWS, COLUMNS, lesion, seed)
    tissue = np.kron(np.random.RandomState(seed).randint(0, 800, (ROWS // 8, COLUMNS // 8)), np.ones((8, 8), int))
    pixels = (grey.astype(int) * 16 + tissue * (grey > 0)).astype(np.uint16)
    return pixels[:, ::-1].copy() if side == "R" else pixels


def outline(side: str) -> list[str]:
    """The mass of :func:`breast` as OsiriX writes points."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = COLUMNS * 0.3 + RADIUS * np.cos(angles), ROWS * 0.4 + RADIUS * np.sin(angles)
    x = COLUMNS - 1 - x if side == "R" else x
    return [f"({a:.4f}, {b:.4f})" for a, b in zip(x, y, strict=True)]
