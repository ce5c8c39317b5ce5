"""A bundle's network leaves torch with its answers, or not at all; and what runs is what was judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_mtl import exporting as module
from monai_mtl.bundle.export import export_path, find_export
from monai_mtl.bundle.export.record import network_settings
from monai_mtl.bundle.opening import open_bundle
from monai_mtl.errors import ConfigError, DataError, MissingError, RunError
from monai_mtl.exporting import export_bundle
from monai_mtl.predictor import Predictor
from monai_mtl.registry import Bundle

from .every_bundle import BUNDLES, every_bundle
from .factories import write_datalist
from .trained import random_weights, tiny


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda bundle: bundle.name)
def bundle(request) -> Bundle:
    return request.param


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_datalist(tmp_path_factory.mktemp("data"), patients=66)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, bundle, data) -> Path:
    path = random_weights(bundle.folder, tmp_path_factory.mktemp("weights") / "model.pt", **tiny(bundle.folder))
    for backend in ("onnx", "openvino"):
        export_bundle(bundle.folder, path, backend, data=data, **tiny(bundle.folder, "train"))
    return path


@every_bundle
def test_the_settings_of_a_network_are_plain_values_without_any_override(bundle):
    settings = network_settings(open_bundle(bundle.folder, ["inference.json"], {"dataset#data": []}))
    declared = json.loads((bundle.folder / "configs" / "inference.json").read_text())["network_def"]
    assert settings == declared | {n: settings[n] for n, value in declared.items() if str(value).startswith(("$", "@"))}
    assert not any(str(value).startswith(("$", "@")) for value in settings.values())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_export_lies_beside_the_weights_with_what_judged_it(bundle, weights):
    files = {f"model_openvino_fp32.{suffix}" for suffix in ("xml", "bin", "json")}
    assert names(weights.parent) == {"model.pt", "model_onnx_fp32.onnx", "model_onnx_fp32.json"} | files
    record = json.loads((weights.parent / "model_openvino_fp32.json").read_text())
    assert record["gate"]["images"] == 66
    for key, value in tiny(bundle.folder).items():
        assert not key.startswith("network_def#") or record["network_def"][key.partition("#")[2]] == value
    # Of masks, classes and boxes. Not what jumps by whole images, and what is made of the same answers.
    judging = {
        name for name in bundle.metadata["eval_metrics"] if name.startswith(("val_seg_", "val_cls_", "val_det_"))
    }
    assert set(record["gate"]["metrics"]) == judging - {"val_cls_accuracy", "val_cls_auc_breast", "val_det_ap"}
    assert record["gate"]["largest_probability_change"] < 1e-3


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_the_predictor_gives_the_answers_of_torch(bundle, weights, data, tmp_path, backend):
    images, settings = sorted((data / "images").iterdir())[:6], tiny(bundle.folder)
    plain = Predictor(bundle.folder, weights, precision="fp32", **settings).run(images, tmp_path / "torch")
    predictor = Predictor(bundle.folder, weights, backend=backend, precision="fp32", **settings)
    assert not isinstance(predictor.network, torch.nn.Module)
    found = predictor.run(images, tmp_path / backend)
    for one, other in zip(plain["results"], found["results"], strict=True):
        assert one["case_id"] == other["case_id"]
        p, q = (list(each["classification"]["probabilities"].values()) for each in (one, other))
        assert p == pytest.approx(q, abs=1e-3)
        (kind,) = {"probability", "discriminative"} & set(one["files"])
        maps, masks = (
            [picture(tmp_path / place / each["files"][name]) for place, each in (("torch", one), (backend, other))]
            for name in (kind, "mask")
        )
        assert np.abs(maps[0] - maps[1]).max() < 1e-3 * 65535
        assert (masks[0] != masks[1]).mean() < 1e-3
    assert "backend" not in plain["results"][0]["model"]
    assert found["results"][0]["model"]["backend"] == f"{backend} {predictor.network.version}"
    assert found["results"][0]["model"]["precision"] == "fp32"


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), dtype=float)


def test_with_too_few_images_nothing_is_left(bundle, weights, tmp_path):
    path = Path(shutil.copy(weights, tmp_path))
    few = write_datalist(tmp_path / "data", patients=30)
    with pytest.raises(DataError, match="30 images are too few"):
        export_bundle(bundle.folder, path, "openvino", data=few, **tiny(bundle.folder, "train"))
    assert names(tmp_path) == {"model.pt", "data"}


def test_a_refused_export_leaves_nothing(bundle, weights, data, tmp_path, monkeypatch):
    path = Path(shutil.copy(weights, tmp_path))

    class Shifted(module.ExportedNetwork):
        def __call__(self, image):
            answers = super().__call__(image).items()
            steps = {name: (1 + torch.arange(value.shape[1])) * 0.2 for name, value in answers}
            return {name: value + steps[name].view(1, -1, *[1] * (value.ndim - 2)) for name, value in answers}

    monkeypatch.setattr(module, "ExportedNetwork", Shifted)
    with pytest.raises(RunError, match="changes the answers on 66 images"):
        export_bundle(bundle.folder, path, data=data, **tiny(bundle.folder, "train"))
    assert names(tmp_path) == {"model.pt"}


def test_int8_learns_from_training_images_that_do_not_judge(bundle, weights, data, tmp_path, monkeypatch):
    path, seen = Path(shutil.copy(weights, tmp_path)), {}

    def convert(onnx, target, precision, images):
        seen["calibration"] = [float(image.sum()) for image in images]
        Path(target).write_text("")

    def judge(network, exported, cases, *_, **__):
        seen["judging"] = [float(cases[i]["image"].sum()) for i in range(len(cases))]
        raise RunError("enough")

    monkeypatch.setattr(module, "export_openvino", convert)
    monkeypatch.setattr(module, "require_agreement", judge)
    monkeypatch.setattr(module, "ExportedNetwork", lambda *_: None)
    settings = tiny(bundle.folder, "train")
    with pytest.raises(RunError, match="enough"):
        export_bundle(bundle.folder, path, "openvino", "int8", data, calibration_images=5, **settings)
    assert [len(seen[name]) for name in ("calibration", "judging")] == [5, 61]
    assert not set(seen["calibration"]) & set(seen["judging"])


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_what_changed_after_it_was_judged_does_not_run(weights, tmp_path, backend):
    shutil.copytree(weights.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.pt"
    record = json.loads((tmp_path / f"model_{backend}_fp32.json").read_text())
    network = record["network_def"]
    export = find_export(path, network, backend)
    assert export == export_path(path, backend)
    with pytest.raises(ConfigError, match="another network_def"):
        find_export(path, {**network, "in_channels": 4}, backend)
    part = export.with_suffix(".bin") if backend == "openvino" else export
    content = part.read_bytes()
    part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ConfigError, match="not the file that was judged"):
        find_export(path, network, backend)
    torch.save({"model": {}}, path)
    with pytest.raises(ConfigError, match="made from other weights"):
        find_export(path, network, backend)
    part.unlink()
    with pytest.raises(MissingError, match="no judged export") as raised:
        find_export(path, network, backend)
    assert f"--backend {backend} --precision fp32" in str(raised.value)


def test_a_precision_that_does_not_exist_is_refused_before_anything_runs(bundle, weights):
    with pytest.raises(ConfigError, match="onnx has no precision 'int8'"):
        export_bundle(bundle.folder, weights, "onnx", "int8")
    with pytest.raises(ConfigError, match="unknown backend"):
        export_bundle(bundle.folder, weights, "abacus")
