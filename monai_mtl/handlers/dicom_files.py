"""DICOM Segmentation and Structured Report beside the other files of a case, where its image was DICOM."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ..data.formats.content import content_of
from ..errors import ConfigError, DataError, MonaiMtlError
from ..outputs.coded_concepts import CodedConcepts
from ..outputs.dicom_source import read_source
from ..outputs.lesions import Lesion

__all__ = ["WHEN", "DicomFiles"]

logger = logging.getLogger("monai_mtl")
logging.getLogger("highdicom").setLevel(logging.WARNING)  # it tells twenty lines a file of what it copies

WHEN = ("auto", "always", "never")
FAULTS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What highdicom raises for a header that it cannot use."""


class DicomFiles:
    """Writes ``x_seg.dcm`` and ``x_sr.dcm`` for an image ``x`` that was DICOM, and nothing for any other.

    Args:
        when: ``"auto"``: where highdicom is installed and the header allows it; else the reason is told.
            ``"always"``: a case of which they cannot be made is a failed one. ``"never"``.
        coded_concepts: As in :class:`monai_mtl.outputs.coded_concepts.CodedConcepts`; not needed for ``"never"``.
        lesions: As there.

    Raises:
        ConfigError: If ``when`` is none of these, or the codes are missing or not of their form.
    """

    def __init__(self, when: str, coded_concepts: Mapping[str, Any] | None = None, lesions: Sequence[str] = ()) -> None:
        if when not in WHEN:
            raise ConfigError(f"dicom '{when}' is not known", expected=", ".join(WHEN))
        self.when = when
        self._concepts = None if when == "never" else CodedConcepts(coded_concepts or {}, lesions)
        self._told = False

    def begin(self) -> None:
        """Start a run.

        Raises:
            ConfigError: If they are always wanted and highdicom is not installed.
        """
        self._told = False
        if self.when == "always":
            _modules()

    def write(
        self,
        case: Mapping[str, Any],
        numbers: np.ndarray,
        lesions: Sequence[Lesion],
        result: Mapping[str, Any],
        model: Mapping[str, Any],
        target: Path,
    ) -> dict[str, Any]:
        """Write the files of one case.

        Args:
            case: As the data set gave it.
            numbers: Number of the lesion of each pixel of the file ``(H, W)``, as ``find_lesions`` gives it.
            lesions: Its lesions, number 1 first, sizes by the spacing of the image.
            result: With ``classification``.
            model: What made it, as :func:`monai_mtl.outputs.provenance` gives it.
            target: Their path without ``_seg.dcm`` and ``_sr.dcm``.

        Returns:
            ``files``: paths by kind; and ``reason``, why there are none: empty if they were not wanted.

        Raises:
            ConfigError: If the image class has no code.
            DataError: If they are always wanted and the header does not allow them.
        """
        path = Path(case["image"].meta["filename_or_obj"])
        if self._concepts is None or content_of(path) != "DICOM":
            return {"files": {}, "reason": ""}
        try:
            made = self._make(case["image"].meta, path, numbers, lesions, result["classification"], model)
        except MonaiMtlError as error:
            if self.when == "always":
                raise
            reason = error.what.replace(str(path), path.name)
            self._tell(error, path, reason)
            return {"files": {}, "reason": reason}
        files = {kind: target.with_name(f"{target.name}_{kind.removeprefix('dicom_')}.dcm") for kind in made}
        for kind, dataset in made.items():
            _write(files[kind], dataset)
        return {"files": files, "reason": ""}

    def _make(
        self,
        meta: Mapping[str, Any],
        path: Path,
        numbers: np.ndarray,
        lesions: Sequence[Lesion],
        found: Mapping[str, Any],
        model: Mapping[str, Any],
    ) -> dict[str, Dataset]:
        dicom_maker, dicom_seg, dicom_sr = _modules()
        detector = "detector plane" in str(meta["spacing_source"])
        try:
            source = read_source(path, int(meta["frame"]))
            maker = dicom_maker.DicomMaker(model)
            segmentation = dicom_seg.make_segmentation(numbers, lesions, source, self._concepts, maker)
            report = dicom_sr.make_report(found, lesions, segmentation, source, self._concepts, maker, detector)
        except MonaiMtlError:
            raise
        except FAULTS as error:
            # Its message may repeat what the header says of a patient; the place where it was raised does not.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
            what = f"no DICOM result can be made of {path}: {where}"
            raise DataError(what, fix="check its header, or set dicom to never") from None
        return {"dicom_seg": segmentation, "dicom_sr": report}

    def _tell(self, error: MonaiMtlError, path: Path, reason: str) -> None:
        if not isinstance(error, ConfigError):
            logger.warning("%s: %s", path.name, reason)
        elif not self._told:  # the same for every case
            self._told = True
            logger.warning("DICOM Segmentation and report are not written: %s; %s", reason, error.fix)


def _modules() -> tuple[ModuleType, ModuleType, ModuleType]:
    """What needs highdicom, which takes its time to import.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        from ..outputs import dicom_maker, dicom_seg, dicom_sr
    except ImportError as error:
        raise ConfigError("highdicom is not installed", fix="pip install 'monai-mtl[dicom]'") from error
    return dicom_maker, dicom_seg, dicom_sr


def _write(path: Path, dataset: Dataset) -> None:
    """Whole or not at all; who waits for new files never sees half of one."""
    temporary = path.with_suffix(".part")
    pydicom.dcmwrite(temporary, dataset, enforce_file_format=True)
    os.replace(temporary, path)
