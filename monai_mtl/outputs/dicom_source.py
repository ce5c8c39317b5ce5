"""The DICOM file that a result belongs to: whose it is, where it lies, and how others refer to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import error as StructError
from typing import Any, NamedTuple

import numpy as np
import pydicom
from pydicom.config import IGNORE, RAISE, settings
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, SecondaryCaptureImageStorage
from pydicom.valuerep import validate_value

from ..errors import DataError

__all__ = ["DicomSource", "read_source"]

NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
"""What the standard wants in every file, if only empty."""
FRAME_GROUPS = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence")
OF_SEVERAL = ("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
OF_SEVERAL += ("DimensionIndexSequence", "DimensionOrganizationSequence", "DimensionOrganizationType")  # type: ignore[assignment]
IN_SPACE = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}
"""What a plane in the patient's coordinates consists of, in numbers."""
FAULTS = (AttributeError, LookupError, NotImplementedError, OverflowError, StructError, TypeError, ValueError)
"""What pydicom raises for a value that is not of its kind."""
FACING = set("APRLHF")
SEXES = ("", "M", "F", "O")


class DicomSource(NamedTuple):
    """One frame of a DICOM file, without its pixels.

    Args:
        header: As of a file with this frame alone. Its SOP class is Secondary Capture, since highdicom refuses some
            others (ultrasound of several frames, retired and private ones); :meth:`name_truly` brings the true one
            into what refers to it.
        sop_class: The true one.
        patient_name: The patient's name, which the header leaves out: highdicom would repeat an unusual one in a
            warning.
        frame: Number of the frame, from 1; None where the file holds one.
    """

    header: Dataset
    sop_class: UID
    patient_name: Any
    frame: int | None

    @property
    def laterality(self) -> str:
        """``L``, ``R``, ``B`` or empty."""
        side = str(self.header.get("ImageLaterality") or self.header.get("Laterality") or "")
        return side if side in ("L", "R", "B") else ""

    @property
    def orientation(self) -> list[str]:
        """Where rows and columns lead, such as ``["P", "FR"]``; empty where the file does not say so."""
        stated = self.header.get("PatientOrientation") or ""
        sides = [] if isinstance(stated, str) else [str(side) for side in stated]
        return sides if len(sides) == 2 and all(side and set(side) <= FACING for side in sides) else []

    def spacing(self, name: str) -> list[float] | None:
        """Millimetres between rows and between columns, or None.

        Args:
            name: ``PixelSpacing`` or ``ImagerPixelSpacing``.
        """
        return _numbers(self.header, name, 2, positive=True)

    def name_truly(self, dataset: Dataset) -> None:
        """Put in what :attr:`header` does not tell: the patient's name, and what this file is to those who refer to it.

        Args:
            dataset: What was made with the header; it is changed.
        """
        dataset.add_new("PatientName", "PN", self.patient_name)
        self._refer(dataset)

    def _refer(self, dataset: Dataset) -> None:
        for element in dataset:
            for item in element.value if element.VR == "SQ" else ():
                if item.get("ReferencedSOPInstanceUID") == self.header.SOPInstanceUID:
                    item.ReferencedSOPClassUID = self.sop_class
                    if self.frame is not None and element.keyword == "SourceImageSequence":
                        item.ReferencedFrameNumber = self.frame
                self._refer(item)


def read_source(path: Path, frame: int = 0) -> DicomSource:
    """Read a header.

    Args:
        path: DICOM file that could be read as an image.
        frame: Index of the frame that was read.

    Raises:
        DataError: If it does not say to whom, to which study and series it belongs, or says so in a form that is not
            DICOM. The error names the attribute and never its value.
    """
    with _unvalidated():
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        _decode(header)
    missing = [name for name in NEEDED if not header.get(name)]
    if missing:
        what = f"no DICOM result can be made of {path}: its header has no {', '.join(missing)}"
        raise DataError(what, fix="complete the header, or set dicom to never")
    several = int(header.get("NumberOfFrames") or 1) > 1
    _use_frame(header, frame)
    for name in MAY_BE_EMPTY:
        if header.get(name) is None:
            setattr(header, name, "")
    wrong = [name for name in (*NEEDED, *MAY_BE_EMPTY) if not _valid(header, name)]
    if wrong:
        what = f"no DICOM result can be made of {path}: values of its header are not DICOM's: {', '.join(wrong)}"
        raise DataError(what, fix="correct the header, or set dicom to never")
    if not all(_numbers(header, name, count, name == "PixelSpacing") for name, count in IN_SPACE.items()):
        # A frame of reference without a place in it says nothing, and a result must not claim one.
        for name in ("FrameOfReferenceUID", "ImageOrientationPatient", "ImagePositionPatient"):
            header.pop(name, None)
    elif header.get("SliceThickness") is None:
        # A plane has none, and highdicom reads no segmentation in space that states none: as thick as a pixel is wide.
        header.SliceThickness = min(header.PixelSpacing)
    sop_class, header.SOPClassUID = header.SOPClassUID, SecondaryCaptureImageStorage
    name, header.PatientName = header.PatientName, None
    return DicomSource(header, sop_class, name, frame + 1 if several else None)


@contextmanager
def _unvalidated() -> Iterator[None]:
    """Values are taken as they are; pydicom would repeat a wrong one, such as a name, in a warning."""
    mode = settings.reading_validation_mode
    settings.reading_validation_mode = IGNORE
    try:
        yield
    finally:
        settings.reading_validation_mode = mode


def _decode(dataset: Dataset) -> None:
    """Decode every element, and drop what cannot be: a result needs no number that is none."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except FAULTS:
            del dataset[tag]
            continue
        values = element.value if isinstance(element.value, MultiValue) else [element.value]
        if element.VR in ("DS", "IS") and any(value and isinstance(value, str) for value in values):
            del dataset[tag]  # pydicom leaves text where it finds no number
        for item in element.value if element.VR == "SQ" else ():
            _decode(item)


def _use_frame(header: Dataset, frame: int) -> None:
    """Make the header that of one frame: what an enhanced file states for it stands where a plain file has it."""
    shared = header.get("SharedFunctionalGroupsSequence") or []
    single = header.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *single[frame : frame + 1]):
        for name in FRAME_GROUPS:
            for element in (groups.get(name) or [Dataset()])[0]:
                header[element.tag] = element
    for name in OF_SEVERAL:
        header.pop(name, None)


def _valid(header: Dataset, name: str) -> bool:
    element = header[name]
    if name == "PatientSex":
        return element.value in SEXES
    try:
        validate_value(element.VR, element.value, RAISE)
    except ValueError:
        return False
    return True


def _numbers(header: Dataset, name: str, count: int, positive: bool = False) -> list[float] | None:
    value = header.get(name)
    if value is None or isinstance(value, (str, DicomSequence)):
        return None
    numbers = np.array([float(part) for part in value] if hasattr(value, "__iter__") else [])
    good = numbers.shape == (count,) and np.isfinite(numbers).all() and not (positive and (numbers <= 0).any())
    return numbers.tolist() if good else None
