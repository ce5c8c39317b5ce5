"""A mask as DICOM Segmentation, pixel by pixel on the image it was found in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from .coded_concepts import CodedConcepts
from .dicom_maker import CONTENT_LABEL, DicomMaker
from .dicom_source import DicomSource
from .lesions import Lesion
from .result_json import NOTICE

__all__ = ["SIDES", "make_segmentation"]

SERIES_NUMBER = 9001
"""Above those that modalities count up to; the standard asks for no more than a number."""
LONGEST = 64
"""Letters of a label."""
SIDES: dict[str, Code] = {"L": codes.SCT.Left, "R": codes.SCT.Right, "B": codes.SCT.Bilateral}
KEPT = ("BodyPartExamined", "ImagerPixelSpacing", "EstimatedRadiographicMagnificationFactor", "PixelSpacing")
KEPT += ("PixelSpacingCalibrationType", "PixelSpacingCalibrationDescription")  # type: ignore[assignment]
"""What a result on the same pixels has in common with its source, where the source states it. A projection has no
slice thickness, which highdicom wants in Pixel Measures; so its spacing stands where the source has it."""


def make_segmentation(
    numbers: np.ndarray,
    lesions: Sequence[Lesion],
    source: DicomSource,
    concepts: CodedConcepts,
    maker: DicomMaker,
) -> Segmentation:
    """Make a binary segmentation with a segment for each lesion.

    It has the rows and columns of the source, its place in space where the source has one, and else, as the standard
    foresees, a reference to the source alone. Nothing found is one segment without pixels.

    Args:
        numbers: Number of the lesion of each stored pixel ``(H, W)``, uint8, as :func:`find_lesions` gives it.
        lesions: Its lesions, number 1 first.
        source: Where it was found.
        concepts: Codes of the bundle.
        maker: What found it.
    """
    segmentation = Segmentation(
        source_images=[source.header],
        pixel_array=numbers[None],
        segmentation_type="BINARY",
        segment_descriptions=[
            _describe(number, lesion, source, concepts, maker) for number, lesion in enumerate(lesions or [None], 1)
        ],
        omit_empty_frames=bool(lesions),  # else it warns of the one that is there
        content_label=CONTENT_LABEL,
        content_description=NOTICE,
        **maker.instance(SERIES_NUMBER, "Segmentation"),
    )
    _keep(segmentation, source)
    source.name_truly(segmentation)
    return segmentation


def _label(concepts: CodedConcepts, number: int, lesion: Lesion | None) -> str:
    if lesion is None:
        return f"{' or '.join(concepts.lesions)}: none"[:LONGEST]
    name = concepts.segment(lesion.kind).name
    return f"{name} {number}" if lesion.parts == 1 else f"{name}: {lesion.parts} more"


def _describe(
    number: int, lesion: Lesion | None, source: DicomSource, concepts: CodedConcepts, maker: DicomMaker
) -> SegmentDescription:
    label, shown = _label(concepts, number, lesion), concepts.segment(1 if lesion is None else lesion.kind)
    region = CodedConcept.from_code(concepts.anatomic_region)
    if source.laterality:
        region.AnatomicRegionModifierSequence = [CodedConcept.from_code(SIDES[source.laterality])]
    made = maker.instance(1, "")
    described = SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=shown.category,
        segmented_property_type=shown.type,
        algorithm_type="AUTOMATIC",
        algorithm_identification=maker.algorithm_of_segment(),
        tracking_id=label,
        tracking_uid=made["sop_instance_uid"],
    )
    described.AnatomicRegionSequence = [region]  # highdicom would drop the modifier
    return described


def _keep(segmentation: Segmentation, source: DicomSource) -> None:
    in_space = "FrameOfReferenceUID" in source.header
    for name in KEPT[:-3] if in_space else KEPT:
        if source.header.get(name):
            segmentation[name] = source.header[name]
    if source.laterality:
        segmentation.ImageLaterality = source.laterality
    if source.orientation or not in_space:
        segmentation.PatientOrientation = source.orientation  # empty where nothing tells it, as the standard wants
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if not in_space:
        shared.pop("PixelMeasuresSequence", None)
    elif "SpacingBetweenSlices" not in source.header:
        shared.PixelMeasuresSequence[0].pop("SpacingBetweenSlices", None)  # of one plane, which has none
