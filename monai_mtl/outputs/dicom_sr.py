"""What was found in an image as DICOM Structured Report, a Measurement Report (TID 1500)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from highdicom import UID
from highdicom.seg import Segmentation
from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    SourceImageForMeasurementGroup,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from .coded_concepts import CodedConcepts
from .dicom_maker import DicomMaker
from .dicom_seg import SIDES
from .dicom_source import DicomSource
from .lesions import Lesion
from .result_json import NOTICE

__all__ = ["DETECTOR_PLANE", "make_report"]

SERIES_NUMBER = 9002
PIXELS = Code("{pixels}", "UCUM", "Pixels")
DETECTOR_PLANE = Code("detector-plane", "99MONAIMTL", "In the plane of the detector; smaller in the body")
"""How a length was measured that no magnification was taken from; DICOM has no code for it."""
DIGITS = 2
"""Of a measurement after the point."""


def make_report(
    classification: Mapping[str, Any],
    lesions: Sequence[Lesion],
    segmentation: Segmentation,
    source: DicomSource,
    concepts: CodedConcepts,
    maker: DicomMaker,
    detector_plane: bool = False,
) -> ComprehensiveSR:
    """Make a report: the image class with its probability, and each lesion with its size.

    It is complete, preliminary and verified by nobody. A Comprehensive SR, since nothing in it has coordinates in
    three dimensions and more systems show it than the one that could.

    Args:
        classification: ``label`` and ``probabilities`` by class name.
        lesions: As in the segmentation, in order.
        segmentation: As :func:`monai_mtl.outputs.dicom_seg.make_segmentation` made it.
        source: Where they were found.
        concepts: Codes of the bundle.
        maker: What found them.
        detector_plane: Whether millimetres are those of the detector.

    Raises:
        ConfigError: If the image class has no code.
    """
    site = _site(concepts, source)
    groups: list[Any] = [_image_group(classification, source, concepts, maker, site)]
    for number, lesion in enumerate(lesions, 1):
        groups.append(_lesion_group(number, lesion, segmentation, source, concepts, maker, site, detector_plane))
    observer = ObserverContext(codes.DCM.Device, maker.observer())
    content = MeasurementReport(ObservationContext(observer), concepts.procedure, groups)
    report = ComprehensiveSR(
        evidence=[source.header, segmentation],
        content=content,
        is_complete=True,
        **maker.instance(SERIES_NUMBER, "Report"),
    )
    report.CompletionFlagDescription = NOTICE
    source.name_truly(report)
    return report


def _site(concepts: CodedConcepts, source: DicomSource) -> FindingSite:
    side = SIDES.get(source.laterality)
    region = CodedConcept.from_code(concepts.anatomic_region)
    return FindingSite(region, laterality=None if side is None else CodedConcept.from_code(side))


def _image_group(
    classification: Mapping[str, Any],
    source: DicomSource,
    concepts: CodedConcepts,
    maker: DicomMaker,
    site: FindingSite,
) -> MeasurementsAndQualitativeEvaluations:
    label = classification["label"]
    answer, probability = concepts.answer(label), classification["probabilities"][label]
    frames = None if source.frame is None else [source.frame]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(UID(), "image class"),
        algorithm_id=maker.algorithm_of_finding(),
        finding_sites=[site],
        measurements=[Measurement(codes.DCM.CertaintyOfFinding, round(100 * probability, DIGITS), codes.UCUM.Percent)],
        qualitative_evaluations=[QualitativeEvaluation(answer.name, answer.value)],
        source_images=[SourceImageForMeasurementGroup(source.sop_class, source.header.SOPInstanceUID, frames)],
    )


def _lesion_group(
    number: int,
    lesion: Lesion,
    segmentation: Segmentation,
    source: DicomSource,
    concepts: CodedConcepts,
    maker: DicomMaker,
    site: FindingSite,
    detector_plane: bool,
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    segment, shown = segmentation.SegmentSequence[number - 1], concepts.segment(lesion.kind)
    frames = None if source.frame is None else [source.frame]
    place = ReferencedSegmentationFrame(
        segmentation.SOPClassUID,
        segmentation.SOPInstanceUID,
        number,  # there is one frame a segment
        number,
        SourceImageForSegmentation(source.sop_class, source.header.SOPInstanceUID, frames),
    )
    # The standard allows one of the two numbers, and highdicom writes both.
    del place[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=place,
        finding_type=shown.type,
        finding_category=shown.category,
        algorithm_id=maker.algorithm_of_finding(),
        finding_sites=[site],
        measurements=_sizes(lesion, DETECTOR_PLANE if detector_plane else None),
    )


def _sizes(lesion: Lesion, method: Code | None) -> list[Measurement]:
    if math.isnan(lesion.area_mm2):
        return [Measurement(codes.SCT.Area, lesion.pixels, PIXELS)]
    sizes = [(codes.SCT.Area, lesion.area_mm2, codes.UCUM.SquareMillimeter)]
    if lesion.parts == 1:
        axes = ((codes.SCT.LongAxis, lesion.long_axis_mm), (codes.SCT.ShortAxis, lesion.short_axis_mm))
        sizes += [(name, length, codes.UCUM.Millimeter) for name, length in axes]
    return [Measurement(name, round(value, DIGITS), unit, method=method) for name, value, unit in sizes]
