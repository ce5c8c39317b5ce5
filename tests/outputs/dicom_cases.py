"""DICOM images for the tests: one picture in eight orientations, each saying where it lies."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ..faults.generate import mammogram, write_dicom

ORIENTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda a: a,
    "columns negated": lambda a: a[:, ::-1],
    "rows negated": lambda a: a[::-1],
    "both negated": lambda a: a[::-1, ::-1],
    "transposed": lambda a: a.T,
    "transposed, columns negated": lambda a: a.T[:, ::-1],
    "transposed, rows negated": lambda a: a.T[::-1],
    "transposed, both negated": lambda a: a.T[::-1, ::-1],
}
SPACING = (0.1, 0.05)
"""Millimetres between rows and columns of the picture as it is; they differ, so that a swap shows."""
ORIGIN = np.array([-20.0, 31.0, 7.0])
DIRECTIONS = {"A": (0.0, -1.0, 0.0), "P": (0.0, 1.0, 0.0), "H": (0.0, 0.0, 1.0), "F": (0.0, 0.0, -1.0)}
"""Of DICOM's axes; the picture's rows lead to the front and its columns to the feet."""
CONCEPTS = {
    "procedure": ["71651007", "SCT", "Mammography"],
    "anatomic_region": ["76752008", "SCT", "Breast"],
    "seg": {
        "mass": {
            "category": ["49755003", "SCT", "Morphologically Abnormal Structure"],
            "type": ["4147007", "SCT", "Mass"],
        }
    },
    "cls": {
        "mass": {"name": ["129788004", "SCT", "Mammographic breast mass"], "value": ["52101004", "SCT", "Present"]}
    },
}
MODEL = {
    "bundle": "hds_inbreast",
    "bundle_version": "0.2.0",
    "weights_sha256": "0123456789abcdef" * 4,
    "software": {"monai_mtl": "0.1.0", "monai": "1.6.1", "torch": "2.13.0+cpu"},
}
FOUND = {"label": "mass", "probabilities": {"no mass": 0.25, "mass": 0.75}}
IDENTITY = {"PatientName": "Muster^Erika", "PatientID": "M-1", "PatientBirthDate": "19640812", "PatientSex": "F"}
IDENTITY |= {"StudyDate": "20200102", "StudyTime": "101112", "StudyID": "S", "AccessionNumber": "A-7"}


def study(**tags) -> dict:
    """Tags that say whose an image is, with UIDs of its own, and others."""
    names = ("StudyInstanceUID", "SeriesInstanceUID")
    return {**{name: generate_uid() for name in names}, **IDENTITY, "ReferringPhysicianName": "", **tags}


def positions(shape: tuple[int, int]) -> np.ndarray:
    """Where the middle of each pixel of the picture as it is lies, in millimetres ``(H, W, 3)``."""
    rows, columns = np.indices(shape)[..., None] * np.array(SPACING).reshape(2, 1, 1, 1)
    return ORIGIN + columns * np.array(DIRECTIONS["A"]) + rows * np.array(DIRECTIONS["F"])


def turned(dataset: Dataset, turn: str, in_space: bool) -> Dataset:
    """Turn the pixels of a picture and say so: in space, or by the letters of a projection alone.

    Args:
        dataset: With 16 or 8 bits, uncompressed or of a syntax that can be decoded; it is changed.
        turn: One of :data:`ORIENTATIONS`.
        in_space: Whether the plane's place in the patient is stated.
    """
    stored, turn_it = dataset.pixel_array, ORIENTATIONS[turn]
    where = np.stack([turn_it(axis) for axis in np.moveaxis(positions(stored.shape), -1, 0)], -1)
    along_row, along_column = where[0, 1] - where[0, 0], where[1, 0] - where[0, 0]
    spacing = [float(np.linalg.norm(along_column)), float(np.linalg.norm(along_row))]
    pixels = np.ascontiguousarray(turn_it(stored))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    units = [along_row / spacing[1], along_column / spacing[0]]
    dataset.PatientOrientation = [next(k for k, v in DIRECTIONS.items() if np.allclose(v, unit)) for unit in units]
    if in_space:
        dataset.FrameOfReferenceUID, dataset.PixelSpacing = generate_uid(), [round(side, 6) for side in spacing]
        dataset.ImageOrientationPatient = [round(float(v), 6) + 0.0 for unit in units for v in unit]
        dataset.ImagePositionPatient = [round(float(v), 6) for v in where[0, 0]]
        del dataset.PatientOrientation  # stands in files without a place in space only
    else:
        dataset.ImagerPixelSpacing = [round(side, 6) for side in spacing]
    return dataset


def made(path: Path, stored: np.ndarray, **tags) -> Path:
    """A synthetic mammogram that belongs to somebody."""
    return write_dicom(path, mammogram(stored, **study(**tags)))


def complaints(path: Path) -> set[str]:
    """Errors that dciodvfy finds."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", timeout=60)
    lines = done.stderr.splitlines() + done.stdout.splitlines()
    assert len(lines) > 0, "it said nothing"
    return {line for line in lines if line.startswith("Error")}


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)
