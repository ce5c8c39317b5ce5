"""The report says what was found as another program reads it, and points to the segments."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import MeasurementReport
from pydicom.sr.codedict import codes
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from monai_mtl.errors import ConfigError
from monai_mtl.outputs.coded_concepts import CodedConcepts
from monai_mtl.outputs.dicom_maker import DicomMaker
from monai_mtl.outputs.dicom_seg import make_segmentation
from monai_mtl.outputs.dicom_source import read_source
from monai_mtl.outputs.dicom_sr import DETECTOR_PLANE, make_report
from monai_mtl.outputs.lesions import find_lesions

from ..faults.generate import lesion, pixels
from .dicom_cases import CONCEPTS, FOUND, IDENTITY, MODEL, complaints, made
from .test_dicom_seg import clip, two_classes, two_lesions

SPACING = (0.1, 0.2)


def report(path, mask, spacing=SPACING, frame=0, detector_plane=False, found=FOUND, concepts=None):
    """The report as another program reads it, its segmentation and its lesions."""
    source, maker = read_source(path, frame), DicomMaker(MODEL)
    concepts = concepts or CodedConcepts(CONCEPTS)
    numbers, lesions = find_lesions(mask, spacing)
    segmentation = make_segmentation(numbers, lesions, source, concepts, maker)
    made_here = make_report(found, lesions, segmentation, source, concepts, maker, detector_plane)
    target = path.with_name("sr.dcm")
    pydicom.dcmwrite(target, made_here, enforce_file_format=True)
    return highdicom.sr.srread(target), segmentation, lesions


def groups(dataset) -> tuple[list, list]:
    content = dataset.content
    assert isinstance(content, MeasurementReport)
    return content.get_image_measurement_groups(), content.get_planar_roi_measurement_groups()


def numbers_of(group) -> dict[str, tuple[float, str]]:
    return {m.name.meaning: (float(m.value), m.unit.value) for m in group.get_measurements()}


def test_the_image_class_is_a_coded_answer_with_its_probability(tmp_path):
    dataset, *_ = report(made(tmp_path / "a.dcm", pixels(), ImageLaterality="R"), lesion())
    (image,), _ = groups(dataset)
    (answer,) = image.get_qualitative_evaluations()
    assert answer.name == codes.SCT.MammographicBreastMass
    assert answer.value == codes.SCT.Present
    assert numbers_of(image) == {"Certainty of Finding": (75.0, "%")}
    (site,) = image.finding_sites
    assert (site.value, site.laterality) == (codes.SCT.Breast, codes.SCT.Right)
    (source,) = image.source_images
    assert source.referenced_sop_class_uid == DigitalMammographyXRayImageStorageForPresentation


def test_each_lesion_has_its_size_and_its_segment(tmp_path):
    dataset, segmentation, lesions = report(made(tmp_path / "a.dcm", pixels()), two_lesions())
    _, regions = groups(dataset)
    assert len(regions) == 2
    for number, (region, one) in enumerate(zip(regions, lesions, strict=True), 1):
        assert numbers_of(region) == {
            "Area": (round(one.area_mm2, 2), "mm2"),
            "Long axis": (round(one.long_axis_mm, 2), "mm"),
            "Short axis": (round(one.short_axis_mm, 2), "mm"),
        }
        segment = segmentation.SegmentSequence[number - 1]
        assert (region.tracking_uid, region.tracking_identifier) == (segment.TrackingUID, f"mass {number}")
        assert region.finding_type == codes.SCT.Mass
        place = region.referenced_segmentation_frame
        assert place.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        assert place.referenced_frame_numbers == [number]
        held = segmentation.pixel_array[number - 1]
        assert int(held.sum()) == one.pixels
        assert region.finding_sites[0].laterality is None
    assert lesions[1].area_mm2 == pytest.approx(30 * 0.02)


def test_millimetres_of_the_detector_are_called_so(tmp_path):
    path = made(tmp_path / "a.dcm", pixels())
    _, (region,) = groups(report(path, lesion(), detector_plane=True)[0])
    _, (calibrated,) = groups(report(path, lesion())[0])
    assert {m.method for m in region.get_measurements()} == {DETECTOR_PLANE}
    assert {m.method for m in calibrated.get_measurements()} == {None}


def test_without_a_spacing_the_area_is_in_pixels(tmp_path):
    dataset, _, lesions = report(made(tmp_path / "a.dcm", pixels()), lesion(), (np.nan, np.nan))
    _, (region,) = groups(dataset)
    assert numbers_of(region) == {"Area": (lesions[0].pixels, "{pixels}")}


def test_many_small_parts_have_an_area_and_no_axes(tmp_path):
    mask = np.zeros((48, 32), np.uint8)
    mask[::4, ::4] = 1
    dataset, _, lesions = report(made(tmp_path / "a.dcm", pixels()), mask)
    _, regions = groups(dataset)
    assert len(regions) == 11
    assert numbers_of(regions[-1]) == {"Area": (round(lesions[-1].area_mm2, 2), "mm2")}


def test_nothing_found_is_said_by_the_class_alone(tmp_path):
    dataset, *_ = report(made(tmp_path / "a.dcm", pixels()), np.zeros((48, 32), np.uint8))
    image, regions = groups(dataset)
    assert (len(image), len(regions)) == (1, 0)


def test_whose_it_is_who_made_it_and_that_nobody_verified_it(tmp_path):
    path = made(tmp_path / "a.dcm", pixels())
    before = pydicom.dcmread(path)
    dataset, segmentation, _ = report(path, lesion())
    again, *_ = report(path, lesion())
    for name in (*IDENTITY, "StudyInstanceUID"):
        assert dataset[name].value == before[name].value, name
    assert len({d.SOPInstanceUID for d in (dataset, segmentation, again, before)}) == 4
    assert len({d.SeriesInstanceUID for d in (dataset, segmentation, again, before)}) == 4
    assert (dataset.CompletionFlag, dataset.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert dataset.PreliminaryFlag == "PRELIMINARY"
    assert dataset.CompletionFlagDescription == "Research use, not a medical device."
    assert dataset.SeriesDescription == "Report by hds_inbreast 0.2.0, research use"
    (observer,) = dataset.content.get_observer_contexts(codes.DCM.Device)
    attributes = observer.observer_identifying_attributes
    assert attributes.serial_number == MODEL["weights_sha256"]
    assert attributes.uid == again.content.get_observer_contexts()[0].observer_identifying_attributes.uid
    named = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    classes = {i.ReferencedSOPInstanceUID: i.ReferencedSOPClassUID for s in named for i in s.ReferencedSOPSequence}
    assert classes == {d.SOPInstanceUID: d.SOPClassUID for d in (before, segmentation)}


def test_one_frame_of_several_is_named(tmp_path):
    dataset, *_ = report(clip(tmp_path), lesion(), frame=2)
    (image,), (region,) = groups(dataset)
    assert image.source_images[0].referenced_frame_numbers == [3]
    assert region.referenced_segmentation_frame.source_image_for_segmentation.referenced_frame_numbers == [3]


def test_a_class_without_a_code_is_refused(tmp_path):
    found = {"label": "cyst", "probabilities": {"cyst": 1.0}}
    with pytest.raises(ConfigError, match="no code for the class 'cyst'"):
        report(made(tmp_path / "a.dcm", pixels()), lesion(), found=found)


@pytest.mark.dciodvfy
def test_the_validator_has_nothing_to_say(tmp_path):
    path = made(tmp_path / "a.dcm", pixels(), ImageLaterality="L")
    report(path, two_lesions(), detector_plane=True)
    assert complaints(tmp_path / "sr.dcm") == set()
    report(clip(tmp_path), lesion(), frame=1)
    assert complaints(tmp_path / "sr.dcm") == set()
    assert complaints(tmp_path / "a.dcm") != set()


def test_each_lesion_is_a_finding_of_its_own_class(tmp_path):
    mask = two_lesions()
    mask[:30] *= 2
    dataset, *_ = report(made(tmp_path / "a.dcm", pixels()), mask, concepts=two_classes())
    assert [group.finding_type for group in groups(dataset)[1]] == [codes.SCT.Mass, codes.SCT.Lesion]
