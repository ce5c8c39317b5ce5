"""DICOM in, DICOM out: beside the other files, or with a reason, and never of anything that was not DICOM."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from monai_mtl.bundle.opening import open_bundle
from monai_mtl.errors import ConfigError, RunError
from monai_mtl.handlers import PredictionWriter
from monai_mtl.handlers.dicom_files import DicomFiles
from monai_mtl.outputs import dicom_seg
from monai_mtl.predictor import Predictor

from ..conftest import ROOT
from ..factories import breast
from ..faults.generate import mammogram, write_dicom
from ..outputs.dicom_cases import CONCEPTS, made, study
from ..trained import SMALL, random_weights

BUNDLE = ROOT / "bundles" / "hds_inbreast"
SECRET = "Quadflieg"


def bright(image: torch.Tensor, network) -> dict[str, torch.Tensor]:
    """Stands for a network: what is bright is a mass."""
    excess = (image[:, :1] - 150) / 10
    score = torch.tensor([[0.0, 1.0]])
    return {"seg": torch.cat([-excess, excess], 1), "cls": score, "cls_map": score[..., None, None]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_weights(BUNDLE, tmp_path_factory.mktemp("weights") / "model.pt", **SMALL)


@pytest.fixture
def predict(weights, tmp_path, monkeypatch):
    """Predicts files; the folder and the results."""

    def run(*files: Path, **settings):
        predictor = Predictor(BUNDLE, weights, image_size=[128, 128], **SMALL, **settings)
        monkeypatch.setattr(predictor, "_inferer", bright)
        output = tmp_path / "out"
        return output, predictor.run(list(files), output)

    return run


def picture(path: Path, **tags) -> Path:
    return made(path, breast(lesion=True)[0], **tags)


def test_segmentation_and_report_stand_beside_the_mask_and_in_the_json(predict, tmp_path):
    output, summary = predict(picture(tmp_path / "a.dcm", Laterality="L"))
    assert summary["results"][0]["files"] == {
        "mask": "a_mask.png",
        "probability": "a_probability.png",
        "overlay": "a_overlay.png",
        "dicom_seg": "a_seg.dcm",
        "dicom_sr": "a_sr.dcm",
    }
    result = json.loads((output / "a.json").read_text())
    assert result == summary["results"][0]
    assert "dicom_not_written" not in result
    written = {path.name for path in output.iterdir()}
    assert written == {
        *result["files"].values(),
        "a.json",
        "results.json",
        "overview.png",
        "report.html",
        "report.json",
    }
    mask = np.asarray(Image.open(output / "a_mask.png"))
    assert 0 < (mask > 0).sum() < mask.size
    segmentation = highdicom.seg.segread(output / "a_seg.dcm")
    assert segmentation.pixel_array.sum() == result["segmentation"]["lesion_pixels"]
    report = highdicom.sr.srread(output / "a_sr.dcm").content
    (image,) = report.get_image_measurement_groups()
    assert image.get_qualitative_evaluations()[0].value.meaning == "Present"
    assert image.finding_sites[0].laterality.meaning == "Left"


def test_the_polarity_of_the_file_changes_the_pixels_and_not_the_place(predict, tmp_path):
    grey = breast(lesion=True)[0]
    dark = made(tmp_path / "dark.dcm", 255 - grey, PhotometricInterpretation="MONOCHROME1")
    output, _ = predict(made(tmp_path / "light.dcm", grey), dark)
    light, dark = (highdicom.seg.segread(output / f"{name}_seg.dcm").pixel_array for name in ("light", "dark"))
    assert light.any()
    np.testing.assert_array_equal(light, dark)


def test_highdicom_tells_nothing_of_its_own_even_where_nothing_is_found(predict, tmp_path, caplog, recwarn):
    caplog.set_level(logging.INFO)
    _, summary = predict(made(tmp_path / "a.dcm", breast()[0]), mask_threshold=0.9999)
    assert summary["results"][0]["segmentation"]["lesion_pixels"] == 0
    assert set(summary["results"][0]["files"]) >= {"dicom_seg", "dicom_sr"}
    assert {record.name.partition(".")[0] for record in caplog.records} <= {"monai_mtl", "monai"}
    assert [w for w in recwarn if "empty" in str(w.message)] == []


def test_what_is_not_dicom_is_not_answered_in_dicom(predict, tmp_path):
    Image.fromarray(breast(lesion=True)[0]).save(tmp_path / "a.png")
    for when in ("auto", "always"):
        output, summary = predict(tmp_path / "a.png", dicom=when)
        assert set(summary["results"][0]["files"]) == {"mask", "probability", "overlay"}
        assert "dicom_not_written" not in summary["results"][0]
    assert list(output.rglob("*.dcm")) == []


def test_never_is_never(predict, tmp_path):
    output, summary = predict(picture(tmp_path / "a.dcm"), dicom="never")
    assert set(summary["results"][0]["files"]) == {"mask", "probability", "overlay"}
    assert list(output.rglob("*.dcm")) == []


def test_lengths_are_those_of_the_file_s_spacing(predict, tmp_path):
    output, _ = predict(picture(tmp_path / "a.dcm", ImagerPixelSpacing=[0.2, 0.1]))
    segmentation = highdicom.seg.segread(output / "a_seg.dcm")
    groups = highdicom.sr.srread(output / "a_sr.dcm").content.get_planar_roi_measurement_groups()
    pixels = [int(frame.sum()) for frame in segmentation.pixel_array.reshape(-1, 96, 80)]
    areas = [float(group.get_measurements()[0].value) for group in groups]
    assert areas == pytest.approx([0.02 * count for count in pixels], abs=0.006)
    assert groups[0].get_measurements()[0].method.value == "detector-plane"
    result = json.loads((output / "a.json").read_text())
    assert result["spacing"] == {
        "xy_mm": [0.1, 0.2],
        "source": "ImagerPixelSpacing (detector plane)",
        "plane": "detector; in the body lengths are smaller",
    }
    assert [one["pixels"] for one in result["lesions"]] == pixels
    for entry, group in zip(result["lesions"], groups, strict=True):
        sizes = [entry[name] for name in ("area_mm2", "long_axis_mm", "short_axis_mm") if entry[name] is not None]
        assert [float(one.value) for one in group.get_measurements()] == sizes


def test_the_frame_that_was_read_is_the_frame_that_is_named(predict, tmp_path):
    frames = np.stack([breast(lesion=True, seed=seed)[0][:, ::flip] for seed, flip in ((0, 1), (1, -1))])
    dataset = mammogram(frames[0], **study(NumberOfFrames=2))
    dataset.PixelData = frames.tobytes()
    path = write_dicom(tmp_path / "a.dcm", dataset)
    output, summary = predict(path, **{"preprocessing#transforms#0#frame": 1})
    assert summary["failed"] == []
    segmentation = highdicom.seg.segread(output / "a_seg.dcm")
    found = segmentation.get_pixels_by_source_frame(dataset.SOPInstanceUID, [2], combine_segments=True)[0]
    np.testing.assert_array_equal(found > 0, np.asarray(Image.open(output / "a_mask.png")) > 0)
    assert np.argwhere(found)[:, 1].mean() > 40  # the second frame is a right breast


@pytest.fixture
def without_highdicom(monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for name in ("maker", "seg", "sr"):
        monkeypatch.delitem(sys.modules, f"monai_mtl.outputs.dicom_{name}", raising=False)
        monkeypatch.delattr(f"monai_mtl.outputs.dicom_{name}", raising=False)


def test_without_highdicom_the_extra_is_named_once_and_the_rest_is_written(
    predict, tmp_path, caplog, without_highdicom
):
    output, summary = predict(picture(tmp_path / "a.dcm"), picture(tmp_path / "b.dcm"))
    assert [one["dicom_not_written"] for one in summary["results"]] == ["highdicom is not installed"] * 2
    assert caplog.text.count("pip install 'monai-mtl[dicom]'") == 1
    assert (output / "b_mask.png").is_file()
    with pytest.raises(ConfigError, match="highdicom is not installed") as raised:
        predict(tmp_path / "a.dcm", dicom="always")
    assert raised.value.fix == "pip install 'monai-mtl[dicom]'"


BAD = {
    "nobody's": ({"StudyInstanceUID": None}, "its header has no StudyInstanceUID"),
    "an empty UID": ({"SeriesInstanceUID": ""}, "its header has no SeriesInstanceUID"),
    "no UID": ({"StudyInstanceUID": f"1.2.{SECRET}"}, "values of its header are not DICOM's: StudyInstanceUID"),
    "no sex": ({"PatientSex": SECRET.upper()}, "values of its header are not DICOM's: PatientSex"),
    "no date": ({"PatientBirthDate": SECRET}, "values of its header are not DICOM's: PatientBirthDate"),
}


def spoilt(path: Path, tags: dict) -> Path:
    """A file whose header holds what pydicom would not set."""
    dataset = mammogram(breast(lesion=True)[0], **study())
    for name, value in tags.items():
        if value is None:
            del dataset[name]
        else:
            dataset[name]._value = value
    return write_dicom(path, dataset)


def test_a_header_that_does_not_do_is_told_without_its_values(predict, tmp_path, caplog, recwarn):
    files = [spoilt(tmp_path / f"{name}.dcm", tags) for name, (tags, _) in BAD.items()]
    output, summary = predict(*files)
    assert {one["image"]: one["dicom_not_written"] for one in summary["results"]} == {
        f"{name}.dcm": f"no DICOM result can be made of {name}.dcm: {reason}" for name, (_, reason) in BAD.items()
    }
    assert all(reason in caplog.text for _, reason in BAD.values())
    assert len(list(output.glob("*_mask.png"))) == len(BAD)
    assert list(output.glob("*.dcm")) == []
    everything = caplog.text + "".join(str(w.message) for w in recwarn) + (output / "results.json").read_text()
    assert SECRET.lower() not in everything.lower()


def test_what_highdicom_says_of_a_header_is_not_repeated(predict, tmp_path, caplog, monkeypatch):
    def refuse(*args):
        raise ValueError(SECRET)

    monkeypatch.setattr(dicom_seg, "make_segmentation", refuse)
    _, summary = predict(picture(tmp_path / "a.dcm"))
    assert "ValueError in test_dicom_files.py, line" in summary["results"][0]["dicom_not_written"]
    assert SECRET not in caplog.text


def test_a_name_that_highdicom_finds_odd_is_written_and_not_told(predict, tmp_path, caplog, recwarn):
    output, _ = predict(picture(tmp_path / "a.dcm", PatientName=SECRET))
    assert [pydicom.dcmread(output / name).PatientName for name in ("a_seg.dcm", "a_sr.dcm")] == [SECRET] * 2
    assert SECRET not in caplog.text + "".join(str(w.message) for w in recwarn)


def test_where_always_is_wanted_a_header_that_does_not_do_is_a_failed_case(predict, tmp_path):
    files = [spoilt(tmp_path / "a.dcm", BAD["nobody's"][0]), picture(tmp_path / "b.dcm")]
    output, summary = predict(*files, dicom="always")
    assert [one["case_id"] for one in summary["results"]] == ["b"]
    assert [one["case_id"] for one in summary["failed"]] == ["a"]
    assert "a.dcm: its header has no StudyInstanceUID" in summary["failed"][0]["reason"]
    assert sorted(path.name for path in output.glob("a*")) == []


def test_a_run_of_the_config_does_the_same(weights, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    spoilt(folder / "a.dcm", BAD["nobody's"][0])
    picture(folder / "b.dcm")
    places = {"dataset_dir": str(folder), "output_dir": str(tmp_path / "out"), "checkpoint": str(weights)}
    parser = open_bundle(BUNDLE, ["inference.json"], {**places, "image_size": [128, 128], **SMALL, "dicom": "always"})
    with pytest.raises(RunError, match="1 of 2 images could not be used"):
        parser.get_parsed_content("evaluator").run()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"b_seg.dcm", "b_sr.dcm", "b.json", "results.json"} <= names
    assert not any(name.startswith("a") for name in names)


def test_classes_without_codes_leave_the_report_out_and_say_so(predict, tmp_path, caplog):
    files = [picture(tmp_path / "a.dcm"), picture(tmp_path / "b.dcm")]
    _, summary = predict(*files, cls_classes=["nothing", "something"])
    reason = "coded_concepts of metadata.json has no code for the class 'something'"
    assert [one["dicom_not_written"] for one in summary["results"]] == [reason] * 2
    assert caplog.text.count(reason) == 1


def test_settings_that_do_not_exist_are_refused(weights, tmp_path):
    with pytest.raises(ConfigError, match="dicom 'sometimes' is not known"):
        Predictor(BUNDLE, weights, image_size=[128, 128], **SMALL, dicom="sometimes")
    with pytest.raises(ConfigError, match="coded_concepts#procedure is no code"):
        DicomFiles("auto")
    plain = PredictionWriter(tmp_path, None, weights, "hds_inbreast", "0")  # as configs of before have it
    assert plain._dicom.when == "never"
    assert DicomFiles("always", CONCEPTS).begin() is None
