"""What made a DICOM result, in DICOM's words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from highdicom import UID, AlgorithmIdentificationSequence
from highdicom.sr import AlgorithmIdentification, DeviceObserverIdentifyingAttributes
from pydicom.sr.codedict import codes

from .. import __version__
from .result_json import NOTICE

__all__ = ["CONTENT_LABEL", "DicomMaker"]

CONTENT_LABEL = "RESEARCH_USE"
MANUFACTURER = "monai-mtl"
LONGEST = 64
"""Letters of a text of one line."""


class DicomMaker:
    """A bundle with its weights, as the device and the algorithm behind a result.

    Args:
        model: As :func:`monai_mtl.outputs.provenance` gives it.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.name, self.version, self.weights = model["bundle"], model["bundle_version"], model["weights_sha256"]
        self._software = [f"{name} {number}"[:LONGEST] for name, number in model["software"].items()]

    def instance(self, series_number: int, what: str) -> dict[str, Any]:
        """Arguments of a new instance in a new series, with UIDs that nothing else has.

        Args:
            series_number: Of the new series.
            what: Word for its description.
        """
        return {
            "series_instance_uid": UID(),
            "series_number": series_number,
            "sop_instance_uid": UID(),
            "instance_number": 1,
            "series_description": f"{what} by {self.name} {self.version}, research use"[:LONGEST],
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.name[:LONGEST],
            "device_serial_number": self.weights,
            "software_versions": self._software,
        }

    @property
    def _algorithm(self) -> dict[str, Any]:
        """The weights are told by the beginning of their digest; the whole is the serial number of the device."""
        return {"name": self.name, "version": f"{self.version}, weights {self.weights[:12]}"[:LONGEST]}

    def algorithm_of_segment(self) -> AlgorithmIdentificationSequence:
        """For a segment."""
        family = codes.DCM.ArtificialIntelligence
        return AlgorithmIdentificationSequence(family=family, source=f"{MANUFACTURER} {__version__}", **self._algorithm)

    def algorithm_of_finding(self) -> AlgorithmIdentification:
        """For a finding of a report."""
        return AlgorithmIdentification(parameters=[f"weights_sha256 {self.weights}", NOTICE], **self._algorithm)

    def observer(self) -> DeviceObserverIdentifyingAttributes:
        """For a report; the same weights are the same observer."""
        return DeviceObserverIdentifyingAttributes(
            uid=UID.from_uuid(str(uuid.UUID(self.weights[:32]))),
            name=self.name,
            manufacturer_name=MANUFACTURER,
            model_name=f"{self.name} {self.version}",
            serial_number=self.weights,
        )
