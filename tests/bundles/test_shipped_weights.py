"""Weights that come with a bundle: they load at once, and what they depend on stands with them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from monai_mtl.data import load_datalist
from monai_mtl.predictor import Predictor

from ..conftest import ROOT
from ..every_bundle import BUNDLES

TOGETHER = ("models/model.safetensors", "configs/shipped.json", "configs/shipped_inference.json", "docs/results.json")
FOLDERS = [bundle.folder for bundle in BUNDLES]
SHIPPED = [folder for folder in FOLDERS if (folder / TOGETHER[0]).is_file()]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_weights_their_configs_and_their_numbers_come_together(folder):
    assert len({(folder / name).is_file() for name in TOGETHER}) == 1


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_file_is_small_and_tells_where_it_is_from(folder):
    path = folder / TOGETHER[0]
    assert path.stat().st_size < 20e6
    with safe_open(path, framework="pt") as opened:
        facts = json.loads(opened.metadata()["facts"])
    overlay, inference = (json.loads((folder / name).read_text()) for name in TOGETHER[1:3])
    assert facts["settings"]["image_size"] == overlay["image_size"] == inference["image_size"]
    assert {"training", "validation", "test"} == set(facts["datalist"]) == set(facts["cases"]) == set(facts["patients"])
    recipes = [facts["recipe"]] if isinstance(facts["recipe"], str) else facts["recipe"]
    assert all((folder / "configs" / f"{name}.json").is_file() for name in recipes)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_metadata_tell_the_figures_of_the_weights_and_what_a_prediction_costs(folder):
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    file = folder / TOGETHER[3]
    found = json.loads(file.read_text())["metrics"] if file.is_file() else {}
    figures = {name: round(found[name]["value"], 3) if name in found else None for name in metadata["eval_metrics"]}
    assert metadata["eval_metrics"] == figures
    measured = json.loads((ROOT / "docs" / "benchmarks.json").read_text())[folder.name]
    told, path = metadata["resources"]["inference"], measured["path"]
    memory = [row["above_imports_mib"] for name, row in measured["memory"]["rows"].items() if "torch auto" in name]
    assert [int(word) for word in re.findall(r"(\d+) MiB", told["memory"])] == [round(one) for one in memory]
    seconds = path["rows"]["Predictor, torch auto"]["median_s"] / path["images"]
    assert float(told["time"].split()[0]) == round(seconds, 2)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_weights_predict_without_a_training(folder, tmp_path):
    image = sorted((folder / "sample_data" / "images").iterdir())[0]
    summary = Predictor(folder, recipe="shipped_inference").run(image, tmp_path / "out")
    assert not summary["failed"]
    probabilities = summary["results"][0]["classification"]["probabilities"]
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.realdata
def test_sample_data_show_no_patient_that_the_weights_saw():
    """By the names of the images, which CDD-CESM begins with the patient's number."""
    classes = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "cdd_cesm_mammo"
    sections = load_datalist(folder, classes, class_from_mask=True, options={"split": "folds"})
    seen = {Path(case["image"]).name.split("_")[0] for name in ("training", "validation") for case in sections[name]}
    hds = next(folder for folder in FOLDERS if folder.name == "hds_inbreast")
    shown = {path.name.split("_")[0] for path in (hds / "sample_data" / "images").iterdir()}
    assert len(seen) == 70 + 45
    assert len(shown) == 15
    assert not seen & shown
