"""The bundle on INbreast as its owners ship it, and on the same pixels in other formats."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from monai_mtl.data import MedicalReader, load_datalist
from monai_mtl.errors import own_error

from ..conftest import ROOT
from .inbreast_tree import COLUMNS, PATIENTS, RADIUS, ROWS, write_inbreast
from .test_all_bundles import workflow

BUNDLE = ROOT / "bundles" / "hds_inbreast"
SIDE = 128
SHORT = {"image_size": [SIDE, SIDE], "patch_size": [SIDE, SIDE], "max_epochs": 2, "val_interval": 2, "batch_size": 3}
SHORT |= {"learning_rate": 0.002}  # at the demo's rate the first steps end in probabilities of exactly 0
CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}
WRITERS = {
    ".png": lambda pixels, path: Image.fromarray(pixels).save(path),
    ".nii.gz": lambda pixels, path: nibabel.save(nibabel.Nifti1Image(pixels.T, np.eye(4)), path),
    ".nii": lambda pixels, path: nibabel.save(nibabel.Nifti1Image(pixels.T.astype(np.float32), np.eye(4)), path),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The set, and what a training, an evaluation and an inference on it have written."""
    folder = tmp_path_factory.mktemp("inbreast")
    data = write_inbreast(folder / "data")
    places = {"dataset_dir": str(data), "ckpt_dir": str(folder / "weights"), "output_dir": str(folder / "eval")}
    workflow(BUNDLE, ["train", "demo"], **SHORT, **places).run()
    workflow(BUNDLE, ["train", "demo", "evaluate"], **SHORT, **places).run()
    predict(data / "AllDICOMs", folder)
    return folder


def predict(images: Path, folder: Path) -> Path:
    """Predictions of the trained weights, in a folder with the name of the images'."""
    places = {"dataset_dir": str(images), "checkpoint": str(folder / "weights" / "model.pt")}
    output = folder / "predictions" / images.name
    sizes = {"image_size": SHORT["image_size"]}
    workflow(BUNDLE, ["inference"], "infer", output_dir=str(output), **places, **sizes).run()
    return output


def copy(run: Path, suffix: str) -> Path:
    """The images in another format, in a folder of that name."""
    folder = run / suffix.replace(".", "_")
    folder.mkdir()
    for path in (run / "data" / "AllDICOMs").iterdir():
        WRITERS[suffix](pydicom.dcmread(path).pixel_array, folder / f"{path.stem}{suffix}")
    return folder


def test_a_training_leaves_its_checkpoints(run):
    weights = {"model.pt", "model_last.pt", "model_best_accuracy.pt"}
    assert {p.name for p in (run / "weights").iterdir()} == weights | {"training.csv", "training.png"}
    weights = torch.load(run / "weights" / "model.pt", weights_only=True)["model"]
    # Twelve bits on the scale of eight.
    assert 0 < float(weights["image_mean"]) < 255
    assert all(bool(torch.isfinite(value).all()) for value in weights.values())


def test_an_evaluation_counts_patients_apart_and_masks_from_the_outlines(run):
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    with (run / "eval" / "cases.csv").open(newline="") as file:
        cases = list(csv.DictReader(file))
    assert metrics["cases"] == len(cases) == 2
    assert metrics["metrics"]["val_seg_dice"]["n"] == 1
    assert metrics["metrics"]["val_cls_accuracy"]["n"] == 2
    sections = load_datalist(run / "data", CLASSES, class_from_mask=True)
    patients = [{case["patient_id"] for case in sections[name]} for name in ("training", "validation", "test")]
    assert [len(part) for part in patients] == [3, 1, 1]
    assert len(set.union(*patients)) == 5
    assert {case["case_id"] for case in cases} == {case["case_id"] for case in sections["test"]}
    labels = {case["label"]: int(case["annotated_pixels"]) for case in cases}
    width = COLUMNS * 0.6 + 8  # of the crop, which is stretched to the network's square
    assert labels["no mass"] == 0
    assert labels["mass"] == pytest.approx(np.pi * RADIUS**2 * SIDE / ROWS * SIDE / width, rel=0.1)


def test_options_of_the_importer_and_the_fold_are_settings(run):
    def patients(**settings) -> list[set[str]]:
        flow = workflow(BUNDLE, ["train", "demo"], **SHORT, dataset_dir=str(run / "data"), **settings)
        sections = flow.parser.get_parsed_content("datalist")
        return [{case["patient_id"] for case in sections[name]} for name in ("training", "validation", "test")]

    folds = [patients(fold=fold) for fold in range(5)]
    assert folds[0] == patients(importer_options={"label": "birads"})
    for section in (1, 2):
        assert set.union(*(fold[section] for fold in folds)) == set(PATIENTS)
    with pytest.raises(RuntimeError) as raised:
        patients(importer_options={"colour": "blue"})
    assert "this data set has no option colour" in str(own_error(raised.value))


def test_predictions_lie_on_the_grid_of_the_file(run):
    output = run / "predictions" / "AllDICOMs"
    answers = json.loads((output / "results.json").read_text())
    assert answers["failed"] == []
    assert len(answers["results"]) == 10
    for answer in answers["results"]:
        mask, probability = (np.asarray(Image.open(output / answer["files"][k])) for k in ("mask", "probability"))
        pixels = pydicom.dcmread(run / "data" / "AllDICOMs" / answer["image"]).pixel_array
        assert mask.shape == probability.shape == pixels.shape
        assert answer["segmentation"]["image_size_xy"] == [COLUMNS, ROWS]
        assert int((mask == 255).sum()) == answer["segmentation"]["lesion_pixels"]
        left, top, right, bottom = answer["crop"]["box_xyxy"]
        inside = np.flatnonzero((pixels > 0).any(axis=0))
        # A right breast is at the right border.
        assert (inside[0] == 0) == ("_L_" in answer["image"])
        assert (left, right) == (max(inside[0] - 8, 0), min(inside[-1] + 9, COLUMNS))
        assert (top, bottom) == (0, ROWS)
        outside = np.ones(COLUMNS, bool)
        outside[left:right] = False
        assert len(np.unique(probability[:, ~outside])) > 20  # else all of this would hold for nothing
        assert not probability[:, outside].any()


def test_reading_dicom_warns_of_nothing(run, caplog):
    case = load_datalist(run / "data", CLASSES, check=False)["training"][0]
    MedicalReader().get_data([Path(case["image"])])
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_pixels_in_another_format_give_the_same_answers(run, suffix):
    expected, found = run / "predictions" / "AllDICOMs", predict(copy(run, suffix), run)
    for path in sorted(expected.iterdir()):
        if path.suffix == ".png":
            assert np.array_equal(Image.open(path), Image.open(found / path.name)), path.name
    answers, others = (json.loads((p / "results.json").read_text())["results"] for p in (expected, found))
    for answer, other in zip(answers, others, strict=True):
        assert Path(answer.pop("image")).stem + suffix == other.pop("image")
        assert "its header has no StudyInstanceUID" in answer.pop("dicom_not_written")  # asked of DICOM alone
        assert answer.pop("spacing")["xy_mm"] == [0.07, 0.07]
        assert other.pop("spacing")["xy_mm"] == ([1, 1] if ".nii" in suffix else None)
        for lesion, same in zip(answer["lesions"], other["lesions"], strict=True):
            sizes = [name for name in lesion if "_mm" in name]
            assert len(sizes) == 3
            for name in sizes:
                size, scale = lesion.pop(name), 0.07 ** (2 if name.endswith("mm2") else 1)
                wanted = pytest.approx(size / scale, abs=0.01 / scale) if ".nii" in suffix else None
                assert same.pop(name) == wanted
        assert answer == other


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_pixels_in_another_format_train_alike(run, suffix, tmp_path):
    images = copy_into(run, suffix, tmp_path)
    shipped, listed = (load_datalist(f, CLASSES, class_from_mask=True) for f in (run / "data", images))
    parser = workflow(BUNDLE, ["train", "demo"], **SHORT, dataset_dir=str(images)).parser
    transform = parser.get_parsed_content("validate#preprocessing")
    for name, cases in shipped.items():
        assert [c["case_id"] for c in listed[name]] == [c["case_id"] for c in cases]
        for case, other in zip(cases, listed[name], strict=True):
            case, other = transform(case), transform(other)
            assert set(case) == set(other)
            assert all(np.array_equal(case[key], other[key]) for key in case), case["case_id"]


def copy_into(run: Path, suffix: str, folder: Path) -> Path:
    """The set with its images in another format, and a datalist with the outlines of the masses."""
    sections = load_datalist(run / "data", CLASSES, check=False)
    cases = [case for section in sections.values() for case in section]
    for case in cases:
        pixels = pydicom.dcmread(case["image"]).pixel_array
        case["image"] = f"{case['case_id']}{suffix}"
        WRITERS[suffix](pixels, folder / case["image"])
    # The split by patient depends on the cases, not on their order.
    (folder / "dataset.json").write_text(json.dumps({"training": cases}))
    return folder
