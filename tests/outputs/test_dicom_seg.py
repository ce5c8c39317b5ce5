"""A segmentation has the pixels of the mask and the geometry of the image, however that lies."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from monai_mtl.outputs.coded_concepts import CodedConcepts
from monai_mtl.outputs.dicom_maker import DicomMaker
from monai_mtl.outputs.dicom_seg import make_segmentation
from monai_mtl.outputs.dicom_source import read_source
from monai_mtl.outputs.lesions import find_lesions

from ..faults.generate import lesion, mammogram, pixels, write_dicom
from .dicom_cases import CONCEPTS, IDENTITY, MODEL, ORIENTATIONS, complaints, made, positions, study, turned

GEOMETRY = ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")


def two_lesions() -> np.ndarray:
    mask = lesion()
    mask[40:45, 3:9] = 1
    return mask


def segment(path, mask, frame=0, concepts=None):
    """The segmentation as another program reads it, and its source."""
    source = read_source(path, frame)
    numbers, lesions = find_lesions(mask)
    made_here = make_segmentation(numbers, lesions, source, concepts or CodedConcepts(CONCEPTS), DicomMaker(MODEL))
    target = path.with_name("seg.dcm")
    pydicom.dcmwrite(target, made_here, enforce_file_format=True)
    return highdicom.seg.segread(target), source


def union(segmentation, uid, frame=None) -> np.ndarray:
    """Pixels of any segment, as highdicom places them on the source."""
    if frame is None:
        found = segmentation.get_pixels_by_source_instance([uid], combine_segments=True)
    else:
        found = segmentation.get_pixels_by_source_frame(uid, [frame], combine_segments=True)
    return (found[0] > 0).astype(np.uint8)


@pytest.mark.parametrize("in_space", [True, False], ids=["in space", "projection"])
@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_pixels_and_geometry_in_every_orientation(tmp_path, turn, in_space):
    picture = turned(mammogram(pixels(), **study()), turn, in_space)
    path = write_dicom(tmp_path / "a.dcm", picture)
    mask = np.ascontiguousarray(ORIENTATIONS[turn](two_lesions()))
    segmentation, _ = segment(path, mask)
    assert (segmentation.Rows, segmentation.Columns) == mask.shape == (picture.Rows, picture.Columns)
    np.testing.assert_array_equal(union(segmentation, picture.SOPInstanceUID), mask)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if not in_space:
        assert list(segmentation.PatientOrientation) == list(picture.PatientOrientation)
        assert list(segmentation.ImagerPixelSpacing) == list(picture.ImagerPixelSpacing)
        assert "FrameOfReferenceUID" not in segmentation
        assert not {"PlaneOrientationSequence", "PixelMeasuresSequence"} & {e.keyword for e in shared}
        return
    groups = [shared.PlaneOrientationSequence, shared.PixelMeasuresSequence]
    planes = [frame.PlanePositionSequence for frame in segmentation.PerFrameFunctionalGroupsSequence]
    for name, (group,) in zip(GEOMETRY, [groups[0], planes[0], groups[1]], strict=True):
        assert list(group[name].value) == list(picture[name].value), name
    assert segmentation.FrameOfReferenceUID == picture.FrameOfReferenceUID
    # The lesion is at the same place of the patient, whichever way the picture lies.
    geometry = segmentation.get_volume_geometry()
    row_column = np.argwhere(mask)
    where = geometry.map_indices_to_reference(np.insert(row_column, 0, 0, axis=1))
    expected = positions(two_lesions().shape)[two_lesions() > 0]
    np.testing.assert_allclose(np.sort(where, axis=0), np.sort(expected, axis=0), atol=1e-4)
    assert {tuple(np.round(point, 3)) for point in where} == {tuple(np.round(point, 3)) for point in expected}
    assert "SpacingBetweenSlices" not in shared.PixelMeasuresSequence[0]


def test_each_lesion_is_a_segment_and_says_what_and_where_it_is(tmp_path):
    mask = two_lesions()
    segmentation, _ = segment(made(tmp_path / "a.dcm", pixels(), ImageLaterality="L"), mask)
    first, second = segmentation.SegmentSequence
    assert [first.SegmentLabel, second.SegmentLabel] == ["mass 1", "mass 2"]
    assert first.TrackingUID != second.TrackingUID
    assert first.segmented_property_type == codes.SCT.Mass
    assert first.segmented_property_category == codes.SCT.MorphologicallyAbnormalStructure
    region = first.AnatomicRegionSequence[0]
    assert (region.CodeValue, region.CodeMeaning) == ("76752008", "Breast")
    assert region.AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    assert first.SegmentAlgorithmName == "hds_inbreast"
    assert [int(frame.sum()) for frame in segmentation.pixel_array] == [int(mask[:30].sum()), 30]


def two_classes() -> CodedConcepts:
    """A benign and a malignant mass, of two codes."""
    mass = CONCEPTS["seg"]["mass"]
    other = mass | {"type": ["52988006", "SCT", "Lesion"]}
    return CodedConcepts(
        {**CONCEPTS, "seg": {"benign mass": other, "malignant mass": mass}}, ["benign mass", "malignant mass"]
    )


def test_lesions_of_several_classes_are_segments_of_their_own_class(tmp_path):
    mask = two_lesions()
    mask[:30] *= 2
    segmentation, _ = segment(made(tmp_path / "a.dcm", pixels()), mask, concepts=two_classes())
    found = [(one.SegmentLabel, one.segmented_property_type.meaning) for one in segmentation.SegmentSequence]
    assert found == [("malignant mass 1", "Mass"), ("benign mass 2", "Lesion")]
    assert [int(frame.sum()) for frame in segmentation.pixel_array] == [int((mask == 2).sum()), 30]
    nothing, _ = segment(made(tmp_path / "b.dcm", pixels()), np.zeros((48, 32), np.uint8), concepts=two_classes())
    assert [one.SegmentLabel for one in nothing.SegmentSequence] == ["benign mass or malignant mass: none"]


def test_nothing_found_is_an_empty_segment(tmp_path):
    path = made(tmp_path / "a.dcm", pixels())
    segmentation, _ = segment(path, np.zeros((48, 32), np.uint8))
    assert [one.SegmentLabel for one in segmentation.SegmentSequence] == ["mass: none"]
    assert segmentation.pixel_array.shape == (48, 32)
    assert not segmentation.pixel_array.any()
    assert "AnatomicRegionModifierSequence" not in segmentation.SegmentSequence[0].AnatomicRegionSequence[0]


def test_a_mask_of_noise_costs_no_more_than_eleven_frames(tmp_path):
    mask = np.zeros((48, 32), np.uint8)
    mask[::3, ::3] = 1
    mask[0, :2] = 1
    segmentation, source = segment(made(tmp_path / "a.dcm", pixels()), mask)
    labels = [one.SegmentLabel for one in segmentation.SegmentSequence]
    assert labels == [*(f"mass {i}" for i in range(1, 11)), f"mass: {16 * 11 - 10} more"]
    np.testing.assert_array_equal(union(segmentation, source.header.SOPInstanceUID), mask)


def test_patient_and_study_are_the_source_s_and_the_rest_is_new(tmp_path):
    path = made(tmp_path / "a.dcm", pixels(), SpecificCharacterSet="ISO_IR 192", StudyDescription="Früherkennung")
    before = pydicom.dcmread(path)
    first, _ = segment(path, lesion())
    second, _ = segment(path, lesion())
    for name in (*IDENTITY, "StudyInstanceUID", "StudyDescription"):
        assert first[name].value == before[name].value, name
    uids = [{one.SOPInstanceUID, one.SeriesInstanceUID, one.SegmentSequence[0].TrackingUID} for one in (first, second)]
    assert len(uids[0] | uids[1] | {before.SOPInstanceUID, before.SeriesInstanceUID}) == 8
    assert first.SeriesDescription == "Segmentation by hds_inbreast 0.2.0, research use"
    assert (first.ContentLabel, first.ContentDescription) == ("RESEARCH_USE", "Research use, not a medical device.")
    assert list(first.SoftwareVersions) == ["monai_mtl 0.1.0", "monai 1.6.1", "torch 2.13.0+cpu"]
    assert first.DeviceSerialNumber == MODEL["weights_sha256"]


def references(segmentation) -> list[pydicom.Dataset]:
    series = segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    frames = segmentation.PerFrameFunctionalGroupsSequence
    return [*series, *(frame.DerivationImageSequence[0].SourceImageSequence[0] for frame in frames)]


def test_it_refers_to_the_true_class_of_the_image_and_says_that_pixels_coincide(tmp_path):
    segmentation, source = segment(made(tmp_path / "a.dcm", pixels()), lesion())
    for reference in references(segmentation):
        assert reference.ReferencedSOPClassUID == DigitalMammographyXRayImageStorageForPresentation
        assert reference.ReferencedSOPInstanceUID == source.header.SOPInstanceUID
        assert "ReferencedFrameNumber" not in reference
    assert references(segmentation)[-1].SpatialLocationsPreserved == "YES"


def clip(folder, **tags):
    """An ultrasound of three frames, of two kinds of header."""
    frames = np.stack([pixels(8, seed) for seed in range(3)])
    kind = {"SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US", "NumberOfFrames": 3}
    dataset = mammogram(frames[0], **study(**kind, **tags))
    dataset.PixelData = frames.tobytes()
    dataset.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    return write_dicom(folder / "a.dcm", dataset)


def test_one_frame_of_several_is_named(tmp_path):
    segmentation, source = segment(clip(tmp_path), lesion(), frame=1)
    assert source.frame == 2
    reference = references(segmentation)[-1]
    assert (reference.ReferencedFrameNumber, reference.ReferencedSOPClassUID) == (2, UltrasoundMultiFrameImageStorage)
    np.testing.assert_array_equal(union(segmentation, source.header.SOPInstanceUID, 2), lesion())
    assert segmentation.NumberOfFrames == 1


def test_a_frame_of_an_enhanced_file_lies_where_its_group_says(tmp_path):
    path = clip(tmp_path, FrameOfReferenceUID=generate_uid())
    dataset = pydicom.dcmread(path)
    items = {name: pydicom.Dataset() for name in ("shared", "plane", "measures", "orientation")}
    items["measures"].PixelSpacing, items["measures"].SliceThickness = [0.2, 0.3], 1
    items["orientation"].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    items["shared"].PixelMeasuresSequence = [items["measures"]]
    items["shared"].PlaneOrientationSequence = [items["orientation"]]
    dataset.SharedFunctionalGroupsSequence = [items["shared"]]
    dataset.PerFrameFunctionalGroupsSequence = [pydicom.Dataset() for _ in range(3)]
    for i, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        plane = pydicom.Dataset()
        plane.ImagePositionPatient = [float(i), 5, 6]
        group.PlanePositionSequence = [plane]
    dataset.save_as(path)
    segmentation, _ = segment(path, lesion(), frame=2)
    plane = segmentation.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    assert list(plane.ImagePositionPatient) == [2, 5, 6]
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [0.2, 0.3]
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]


def test_calibrated_spacing_is_kept_without_a_place_in_space(tmp_path):
    segmentation, _ = segment(made(tmp_path / "a.dcm", pixels(), PixelSpacing=[0.07, 0.08]), lesion())
    assert list(segmentation.PixelSpacing) == [0.07, 0.08]
    assert "PixelMeasuresSequence" not in segmentation.SharedFunctionalGroupsSequence[0]


@pytest.mark.parametrize(
    "tags",
    [{"FrameOfReferenceUID": "1.2.3"}, {"FrameOfReferenceUID": "1.2.3", "ImagePositionPatient": [1, 2, 3]}],
    ids=["frame of reference alone", "position without direction"],
)
def test_half_a_place_in_space_is_none(tmp_path, tags):
    segmentation, _ = segment(made(tmp_path / "a.dcm", pixels(), **tags), lesion())
    assert "FrameOfReferenceUID" not in segmentation
    assert list(segmentation.PatientOrientation or []) == []


@pytest.mark.parametrize(("stated", "kept"), [(["P", "FR"], ["P", "FR"]), ("MLO", []), (["P", "X"], []), ("", [])])
def test_letters_that_are_no_directions_are_not_repeated(tmp_path, stated, kept):
    segmentation, source = segment(made(tmp_path / "a.dcm", pixels(), PatientOrientation=stated), lesion())
    assert source.orientation == kept
    assert list(segmentation.PatientOrientation or []) == kept


@pytest.mark.dciodvfy
def test_the_validator_has_nothing_to_say(tmp_path):
    for place in (True, False):
        picture = turned(mammogram(pixels(), **study(ImageLaterality="R")), "transposed", place)
        segment(write_dicom(tmp_path / "a.dcm", picture), two_lesions().T.copy())
        assert complaints(tmp_path / "seg.dcm") == set()
    segment(clip(tmp_path), lesion(), frame=1)
    assert complaints(tmp_path / "seg.dcm") == set()
    assert complaints(tmp_path / "a.dcm") != set()  # a header with next to nothing in it, so it does complain


def test_numbers_that_are_none_are_left_out(tmp_path):
    path = made(tmp_path / "a.dcm", pixels(), SeriesNumber=77, PatientSize="1.77")
    content = path.read_bytes()
    assert content.count(b"IS\x02\x0077") == content.count(b"DS\x04\x001.77") == 1
    path.write_bytes(content.replace(b"IS\x02\x0077", b"IS\x02\x001A").replace(b"DS\x04\x001.77", b"DS\x04\x00tall"))
    segmentation, source = segment(path, lesion())
    assert not {"SeriesNumber", "PatientSize"} & {element.keyword for element in source.header}
    assert "PatientSize" not in segmentation
    np.testing.assert_array_equal(union(segmentation, source.header.SOPInstanceUID), lesion())


def test_a_big_endian_image_is_answered_in_little_endian(tmp_path):
    path = made(tmp_path / "a.dcm", pixels(), PregnancyStatus=4, PixelSpacing=[0.1, 0.2])
    dataset = pydicom.dcmread(path)
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", generate_uid()
    item.ReferencedFrameNumber, item.PregnancyStatus = 3, 4
    dataset.ReferencedStudySequence = [item]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = pixels().astype(">u2").tobytes()
    pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False, enforce_file_format=True)
    segmentation, _ = segment(path, lesion())
    assert segmentation.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (segmentation.PregnancyStatus, segmentation.ReferencedStudySequence[0].PregnancyStatus) == (4, 4)
    assert list(segmentation.PixelSpacing) == [0.1, 0.2]
