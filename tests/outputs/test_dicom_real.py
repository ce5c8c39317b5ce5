"""A real mammogram and a real ultrasound in every orientation, through the whole inference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import highdicom
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

from monai_mtl.bundle.opening import open_bundle
from monai_mtl.data import MedicalReader
from monai_mtl.predictor import Predictor

from ..conftest import ROOT
from ..faults.generate import write_dicom
from ..trained import SMALL, random_weights
from .dicom_cases import ORIENTATIONS, complaints, turned

SIDES = {"L": codes.SCT.Left, "R": codes.SCT.Right}
THIN = 4
BRIGHT = 0.6
"""Share of the range above which a pixel is a lesion, to what stands for the network."""


class Case(NamedTuple):
    """A bundle and an image for it.

    Args:
        bundle: Name.
        file: Finds the image.
        side: Laterality.
        in_space: Whether the turned images state a place in space, or are projections.
        frame: Index, of a file with several.
        settings: Of the bundle.
    """

    bundle: str
    file: str
    side: str = ""
    in_space: bool = False
    frame: int | None = None
    settings: Mapping[str, Any] = MappingProxyType({})


MAMMOGRAM = "cbis_ddsm_dicom_mg/images/P_00173_{}_MLO.dcm"
SIZE = {"image_size": [256, 256]}
CASES = {
    "left mammogram": Case("hds_inbreast", MAMMOGRAM.format("LEFT"), "L", settings={**SIZE, **SMALL}),
    "right mammogram": Case("hds_inbreast", MAMMOGRAM.format("RIGHT"), "R", settings={**SIZE, **SMALL}),
    "ultrasound": Case("acsnet_busi", "JPGLosslessP14SV1_1s_1f_8b.dcm", in_space=True, settings=SIZE),
    "ultrasound clip": Case("acsnet_busi", "examples_ybr_color.dcm", frame=7, settings=SIZE),
}
REAL = [pytest.mark.realdata]
EVERY = [pytest.param(name, marks=REAL if "mammogram" in name else [], id=name) for name in CASES]


def bright(image: torch.Tensor, network) -> dict[str, torch.Tensor]:
    """Stands for a network, and answers the same in every orientation: what is bright is a lesion."""
    excess = (image[:, :1] - BRIGHT * image.max()) / 10
    score = torch.tensor([[0.0, 1.0]])
    masks = excess if image.shape[1] == 3 else torch.cat([-excess, excess], 1)
    return {"seg": masks, "cls": score, "cls_map": score[..., None, None]}


def source_of(case: Case) -> Path:
    if "/" in case.file:
        return Path(os.environ["MONAI_MTL_DATA"]) / case.file
    return Path(get_testdata_file(case.file, download=False))


def grey(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """Colours of an ultrasound become the grey that they show; the bundle refuses them else."""
    if dataset.SamplesPerPixel > 1:
        dataset.PixelData = np.ascontiguousarray(dataset.pixel_array[..., 1]).tobytes()
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        del dataset.PlanarConfiguration
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return dataset


def thinned(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """Every fourth pixel of every fourth row. What a region states of the pixels is no longer true."""
    dataset.pop("SequenceOfUltrasoundRegions", None)
    pixels = np.ascontiguousarray(dataset.pixel_array[::THIN, ::THIN])
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData, dataset.file_meta.TransferSyntaxUID = pixels.tobytes(), pydicom.uid.ExplicitVRLittleEndian
    return dataset


def images(case: Case, folder: Path) -> dict[str, Path]:
    """The file untouched, and thinned in every orientation; one of several frames as it is."""
    folder.mkdir()
    source = pydicom.dcmread(source_of(case))
    source.remove_private_tags()  # of one of the files dciodvfy repeats them for pages
    if case.frame is not None:
        return {"as it is": write_dicom(folder / "clip.dcm", grey(source))}
    found = {"untouched": write_dicom(folder / "untouched.dcm", source)}
    for i, turn in enumerate(ORIENTATIONS):
        dataset = pydicom.dcmread(source_of(case))
        dataset.remove_private_tags()
        if not case.side:
            dataset.Laterality = "LR"[i // 2 % 2]
        found[turn] = write_dicom(folder / f"{i}.dcm", turned(thinned(dataset), turn, case.in_space))
    return found


class Answered(NamedTuple):
    """What became of an image: source, segmentation and report, and the mask as PNG ``(H, W)``."""

    image: Path
    seg: Path
    sr: Path
    mask: np.ndarray


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By case and orientation; made when first asked for."""
    made: dict[str, dict[str, Answered]] = {}

    def answer(name: str) -> dict[str, Answered]:
        if name not in made:
            case, folder = CASES[name], tmp_path_factory.mktemp("real")
            found = images(case, folder / "in")
            weights = folder / "model.pt"
            bundle = ROOT / "bundles" / case.bundle
            if case.bundle == "hds_inbreast":
                random_weights(bundle, weights, **case.settings)
            else:
                torch.save({"model": network_of(bundle, case).state_dict()}, weights)
            frame = {} if case.frame is None else {"preprocessing#transforms#0#frame": case.frame}
            predictor = Predictor(bundle, weights, dicom="always", **case.settings, **frame)
            predictor._inferer = bright
            summary = predictor.run(list(found.values()), folder / "out")
            assert summary["failed"] == []
            made[name] = {turn: read(path, folder / "out") for turn, path in found.items()}
        return made[name]

    return answer


def network_of(bundle: Path, case: Case) -> torch.nn.Module:
    given = {"checkpoint": str(bundle / "LICENSE"), "dataset#data": [], **case.settings}
    return open_bundle(bundle, ["inference.json"], given).get_parsed_content("network_def")


def read(path: Path, output: Path) -> Answered:
    files = [output / f"{path.stem}_{kind}" for kind in ("seg.dcm", "sr.dcm", "mask.png")]
    return Answered(path, *files[:2], np.asarray(Image.open(files[2])) > 0)


@pytest.mark.parametrize("name", EVERY)
def test_the_segments_are_the_mask_and_lie_as_the_image_lies(answers, name):
    case = CASES[name]
    for turn, answered in answers(name).items():
        source, segmentation = pydicom.dcmread(answered.image), highdicom.seg.segread(answered.seg)
        uid = source.SOPInstanceUID
        if case.frame is None:
            pixels = segmentation.get_pixels_by_source_instance([uid], combine_segments=True)[0]
        else:
            pixels = segmentation.get_pixels_by_source_frame(uid, [case.frame + 1], combine_segments=True)[0]
        np.testing.assert_array_equal(pixels > 0, answered.mask, err_msg=turn)
        assert 0.001 < answered.mask.mean() < 0.5, turn
        assert (segmentation.Rows, segmentation.Columns) == (source.Rows, source.Columns)
        assert segmentation.get("ImageLaterality", "") == (case.side or source.get("Laterality") or "")
        assert (segmentation.StudyInstanceUID, segmentation.PatientName) == (
            source.StudyInstanceUID,
            source.PatientName,
        )
        if not case.in_space or turn == "untouched":
            stated = turn in ORIENTATIONS and case.frame is None
            assert list(segmentation.PatientOrientation or []) == (list(source.PatientOrientation) if stated else [])
            assert segmentation.get("ImagerPixelSpacing") == source.get("ImagerPixelSpacing")
            assert "FrameOfReferenceUID" not in segmentation
            continue
        shared = segmentation.SharedFunctionalGroupsSequence[0]
        (plane,) = {tuple(f.PlanePositionSequence[0].ImagePositionPatient) for f in frames_of(segmentation)}
        assert plane == tuple(source.ImagePositionPatient)
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        assert list(orientation) == list(source.ImageOrientationPatient)
        assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == list(source.PixelSpacing)
        assert segmentation.FrameOfReferenceUID == source.FrameOfReferenceUID


def frames_of(segmentation) -> list:
    return list(segmentation.PerFrameFunctionalGroupsSequence)


@pytest.mark.parametrize("name", EVERY)
def test_the_mask_lies_on_what_is_bright_and_on_no_mirror_image_of_it(answers, name):
    for turn, answered in answers(name).items():
        frame = CASES[name].frame
        pixels, _ = MedicalReader(reverse_indexing=False, frame=frame).get_data([answered.image])
        expected = pixels > BRIGHT * pixels.max()
        overlap = {}
        for other, turn_it in ORIENTATIONS.items():
            mirrored = turn_it(answered.mask)
            if mirrored.shape == expected.shape:
                overlap[other] = (mirrored & expected).sum() / (mirrored | expected).sum()
        right = overlap.pop("as it is")
        assert right > max(0.3, 3 * max(overlap.values())), turn


@pytest.mark.parametrize("name", EVERY)
def test_the_report_measures_the_segments(answers, name):
    sides = set()
    for turn, answered in list(answers(name).items())[::3]:  # highdicom takes its time to read a report
        source, segmentation = pydicom.dcmread(answered.image), pydicom.dcmread(answered.seg)
        sides.add(side := CASES[name].side or source.get("Laterality") or "")
        content = highdicom.sr.srread(answered.sr).content
        assert len(content.get_image_measurement_groups()) == 1
        groups = content.get_planar_roi_measurement_groups()
        held = segmentation.pixel_array.reshape(-1, source.Rows, source.Columns)
        assert len(groups) == len(held)
        spacing = source.get("PixelSpacing") or source.get("ImagerPixelSpacing")
        areas = [group.get_measurements()[0] for group in groups]
        if (name, turn) == ("ultrasound", "untouched"):
            expected = [in_region(frame > 0) for frame in held]
            assert {unit for _, unit in expected} == {"mm2", "{pixels}"}, "letters stand outside the region"
        else:
            unit, size = ("{pixels}", 1) if spacing is None else ("mm2", spacing[0] * spacing[1])
            expected = [(frame.sum() * size, unit) for frame in held]
        assert [area.unit.value for area in areas] == [unit for _, unit in expected]
        assert [float(area.value) for area in areas] == pytest.approx([size for size, _ in expected], abs=0.006), turn
        places = [group.referenced_segmentation_frame for group in groups]
        assert {place.referenced_sop_instance_uid for place in places} == {segmentation.SOPInstanceUID}
        assert {group.finding_sites[0].laterality for group in groups} == {SIDES.get(side)}, turn
    if not CASES[name].side and CASES[name].frame is None:
        assert sides == {"", "L", "R"}


def in_region(lesion: np.ndarray) -> tuple[float, str]:
    """Area and unit of a lesion of the ultrasound, of which one region, columns 14 to 1010, is calibrated."""
    inside = lesion[38:759, 14:1011].sum() == lesion.sum()
    return (lesion.sum() * 0.25476696592378157**2, "mm2") if inside else (lesion.sum(), "{pixels}")


@pytest.mark.dciodvfy
@pytest.mark.parametrize("name", EVERY)
def test_the_validator_finds_no_error_that_the_image_lacks(answers, name):
    for turn, answered in answers(name).items():
        before = complaints(answered.image)
        for result in (answered.seg, answered.sr):
            assert complaints(result) - before == set(), turn
