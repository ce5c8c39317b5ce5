"""A packed folder holds all it needs: its code, its settings, its weights, versions that exist together."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, verify_metadata
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image
from safetensors import safe_open

from monai_mtl.bundle import pack, packed_metadata
from monai_mtl.bundle.audit import audit
from monai_mtl.bundle.closure import PACKAGE, other_packages, package_files
from monai_mtl.bundle.manifest import check_manifest
from monai_mtl.bundle.pack import pack_bundle
from monai_mtl.bundle.packed_metadata import pins
from monai_mtl.bundle.weights import read_weights, ship_weights
from monai_mtl.errors import ConfigError, MissingError
from monai_mtl.predictor import Predictor

from ..conftest import DATA, ROOT
from ..every_bundle import NAMES
from ..small_runs import on_sample_data

OWN_WEIGHTS = "acsnet_busi"
"""Packed with weights that are given."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packed")
    torch.save({"model": {"a": torch.ones(2)}}, folder / "model.pt")
    for name in NAMES:
        weights = folder / "model.pt" if name == OWN_WEIGHTS else None
        pack_bundle(without_weights(name, tmp_path_factory.mktemp("source")), folder / name, weights)
    return {name: folder / name for name in NAMES}


def without_weights(name: str, folder: Path) -> Path:
    ignore = shutil.ignore_patterns("models", "eval", "predictions", "cache")
    return Path(shutil.copytree(ROOT / "bundles" / name, folder / name, ignore=ignore))


@pytest.mark.parametrize("name", NAMES)
def test_a_packed_folder_is_complete_and_has_no_findings(packed, name):
    folder = packed[name]
    assert [one.text() for one in audit(folder)] == []
    assert check_manifest(folder) == []
    verify_metadata(meta_file=str(folder / "configs" / "metadata.json"), filepath=str(DATA / "meta_schema.json"))
    for file in ("LICENSE", "docs/README.md", "docs/data_license.txt", "scripts/__init__.py", "MANIFEST.sha256"):
        assert (folder / file).is_file()
    for path in (folder / "configs").rglob("*.json"):
        assert not re.search(r'"monai_mtl[."]', path.read_text()), path
    for path in (folder / "scripts").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) monai_mtl", path.read_text(), re.M), path
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    packages = metadata["required_packages_version"]
    assert set(metadata["eval_metrics"].values()) == {None}  # packed without the weights they were measured with
    assert "monai-mtl" not in packages
    assert {"pytorch-ignite", "pydicom", "safetensors"} <= set(packages)


@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_in_any_config_or_code_file_is_refused_by_name(packed, name):
    folder, places = packed[name], random.Random(0)
    files = [path for part in ("configs", "scripts") for path in (folder / part).rglob("*") if path.is_file()]
    assert len(files) > 80
    assert {".py", ".json", ".conf", ".html"} <= {path.suffix for path in files}
    refused = []
    for path in files:
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[places.randrange(len(whole))] ^= 1 << places.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(ConfigError, match="is not what its MANIFEST") as raised:
            check_manifest(folder)
        refused.append(raised.value.where == [f"changed: {path.relative_to(folder).as_posix()}"])
        path.write_bytes(whole)
    assert refused == [True] * len(files)
    assert check_manifest(folder) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_configs_differ_in_names_root_and_order_of_steps_only(packed, name):
    for path in (ROOT / "bundles" / name / "configs").rglob("*.json"):
        if path.name == "metadata.json":
            continue
        inside = path.relative_to(ROOT / "bundles" / name)
        ours = json.loads(path.read_text().replace('"monai_mtl.', '"scripts.monai_mtl.'))
        theirs = json.loads((packed[name] / inside).read_text())
        for config in (ours, theirs):
            for key in ("bundle_root", "initialize", "run"):
                config.pop(key, None)
        assert theirs == ours, inside


def test_each_step_is_still_done_and_none_of_ours_before_the_folder_can_be_imported_from(packed):
    for name in NAMES:
        train = json.loads((packed[name] / "configs" / "train.json").read_text())
        assert "scripts." not in json.dumps(train["initialize"])
        ours = json.loads((ROOT / "bundles" / name / "configs" / "train.json").read_text())
        steps = [json.dumps(s).replace("monai_mtl", "scripts.monai_mtl") for s in ours["initialize"] + ours["run"]]
        assert sorted(steps) == sorted(json.dumps(step) for step in train["initialize"] + train["run"])


def jobs(folder: Path, images: Path) -> list[dict]:
    """A training, an evaluation and an inference with a packed folder."""
    training = {**on_sample_data(folder), "max_epochs": 1, "val_interval": 1, "interval_draws": 10}
    settings = {**on_sample_data(folder, "inference"), "dataset_dir": str(images)}
    steps = [(["train"], "train", training), (["train", "evaluate"], "train", training)]
    steps.append((["inference"], "infer", settings))
    return [
        {"folder": str(folder), "configs": configs, "kind": kind, "settings": given} for configs, kind, given in steps
    ]


@pytest.fixture(scope="module")
def ran(packed, tmp_path_factory) -> dict[str, tuple[Path, list[dict]]]:
    """Copies of packed folders, and what one process told in which monai_mtl cannot be imported.

    It trained, scored and predicted with each, and then predicted with a copy whose code says another version.
    """
    folder = tmp_path_factory.mktemp("run")
    packed = {name: Path(shutil.copytree(packed[name], folder / "packed" / name)) for name in NAMES}
    todo = []
    for name in NAMES:
        other = Path(shutil.copytree(packed[name], folder / name))
        (other / "scripts" / "monai_mtl" / "__init__.py").write_text('__version__ = "9.9.9"\n')
        images = folder / f"{name}_images"
        images.mkdir()
        for path in sorted((packed[name] / "sample_data" / "images").iterdir())[:2]:
            shutil.copy(path, images)
        todo += jobs(packed[name], images)
        checkpoint = str(packed[name] / "models" / "model.pt")
        last = todo[-1]["settings"]
        todo.append({**todo[-1], "folder": str(other), "settings": {**last, "checkpoint": checkpoint}})
    (folder / "jobs.json").write_text(json.dumps(todo))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, str(Path(__file__).parent / "run_packed.py"), str(folder / "jobs.json")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=elsewhere, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(elsewhere.iterdir()) == [], "all is written into the bundle"
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"missing"')]
    return {name: (packed[name], told[4 * i : 4 * i + 4]) for i, name in enumerate(NAMES)}


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_scores_and_predicts_where_the_package_cannot_be_imported(ran, name):
    folder, reports = ran[name]
    assert [report["missing"] for report in reports] == [[], [], [], []]
    assert all(report["modules"] > 50 for report in reports)
    assert (folder / "models" / "model.pt").is_file()
    assert json.loads((folder / "eval" / "metrics.json").read_text())
    assert len(list((folder / "predictions").glob("*_mask.png"))) == 2
    packed_weights = (folder / "models" / "model.safetensors").is_file()
    retrained = ["models/model.pt"] if packed_weights else []
    assert check_manifest(folder) == retrained, "what else a run writes is no change"
    if packed_weights:
        with pytest.raises(ConfigError, match=r"is older than model\.pt"):
            read_weights(folder / "models" / "model.safetensors")
    assert all((folder / place / "report.html").is_file() for place in ("eval", "predictions"))
    assert [one.text() for one in audit(folder)] == []


@pytest.mark.parametrize("name", NAMES)
def test_two_versions_of_the_code_live_in_one_process(ran, name):
    from monai_mtl import __version__

    _, reports = ran[name]

    assert [report["version"] for report in reports] == [__version__] * 3 + ["9.9.9"]
    assert [report["elsewhere"] for report in reports] == [[], [], [], []]


def test_a_payload_in_the_weights_of_a_packed_folder_does_not_run(packed, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    folder = Path(shutil.copytree(packed["acsnet_busi"], tmp_path / "acsnet_busi"))
    torch.save({"model": Payload()}, folder / "models" / "model.pt")
    assert ["models/model.pt" in one.text() for one in audit(folder)] == [True]
    with pytest.raises(ConfigError, match="holds no weights"):
        read_weights(folder / "models" / "model.pt")
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2
    assert "holds no weights" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_predictor_tells_how_a_packed_folder_predicts(packed):
    with pytest.raises(ConfigError, match="it runs with its own code") as told:
        Predictor(packed["ynet_biopsy"])
    assert "python -m monai.bundle run --config_file configs/inference.json" in told.value.fix


@pytest.fixture
def trained(tmp_path) -> Path:
    """A copy of a bundle with weights to ship, at settings of their own."""
    folder = without_weights("hds_inbreast", tmp_path)
    for name in ("shipped", "shipped_inference"):
        content = {"checkpoint": "$@bundle_root + '/models/model.safetensors'", "image_size": [512, 256]}
        content |= {"patch_size": [512, 256]} if name == "shipped" else {"cls_classes": ["none", "mass"]}
        content["network_def#dropout"] = None
        (folder / "configs" / f"{name}.json").write_text(json.dumps(content))
    (folder / "models").mkdir()
    state = {"a": torch.linspace(0, 1, 5), "b": torch.tensor(3)}
    torch.save({"model": state, "settings": {"image_size": [512, 256]}}, tmp_path / "training.pt")
    ship_weights(tmp_path / "training.pt", folder / "models" / "model.safetensors", {"cases": 3})
    return folder


def test_weights_come_with_the_settings_they_were_trained_with(trained, tmp_path):
    assert pack_bundle(trained, tmp_path / "packed") == []
    folder = tmp_path / "packed"
    state = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert torch.equal(state["a"], torch.linspace(0, 1, 5).half().float())
    same, settings = read_weights(folder / "models" / "model.safetensors")
    assert torch.equal(same["a"].float(), state["a"])
    assert settings == {"image_size": [512, 256]}
    with safe_open(folder / "models" / "model.safetensors", framework="pt") as opened:
        assert json.loads(opened.metadata()["facts"])["packed_from"] == "model.safetensors"
    configs = {
        n: json.loads((folder / "configs" / f"{n}.json").read_text()) for n in ("train", "inference", "metadata")
    }
    assert configs["train"]["image_size"] == configs["train"]["patch_size"] == configs["inference"]["image_size"]
    assert configs["train"]["cls_classes"] == configs["inference"]["cls_classes"] == ["none", "mass"]
    assert configs["train"]["network_def"]["dropout"] is configs["inference"]["network_def"]["dropout"] is None
    assert not any("#" in name for name in (*configs["train"], *configs["inference"]))
    outputs = configs["metadata"]["network_data_format"]["outputs"]
    assert outputs["pred"]["spatial_shape"] == [512, 256]
    source = json.loads((trained / "configs" / "metadata.json").read_text())
    assert configs["metadata"]["eval_metrics"] == source["eval_metrics"]
    assert None not in source["eval_metrics"].values()
    assert outputs["cls_map"]["spatial_shape"] == [4, 2]
    assert outputs["cls"]["channel_def"] == {"0": "none", "1": "mass"}


def test_weights_of_the_same_settings_may_be_named(trained, tmp_path):
    torch.save({"model": {"a": torch.ones(2)}, "settings": {"image_size": [1024, 512]}}, tmp_path / "own.pt")
    pack_bundle(trained, tmp_path / "packed", weights=tmp_path / "own.pt")
    assert torch.equal(torch.load(tmp_path / "packed" / "models" / "model.pt", weights_only=True)["a"], torch.ones(2))
    assert json.loads((tmp_path / "packed" / "configs" / "inference.json").read_text())["image_size"] == [1024, 512]


def test_classes_that_a_config_would_look_up_are_those_of_the_weights(tmp_path):
    """Else a training in MONAI Label would take those of the sample data, and its inference those of the paper."""
    given = {"seg_classes": ["background", "cyst", "mass"], "cls_classes": ["no mass", "mass"]}
    torch.save({"model": {"a": torch.ones(2)}, "settings": given}, tmp_path / "own.pt")
    pack_bundle(without_weights("fcn_ddsm", tmp_path / "source"), tmp_path / "packed", weights=tmp_path / "own.pt")
    for name in ("train", "inference"):
        content = json.loads((tmp_path / "packed" / "configs" / f"{name}.json").read_text())
        assert {key: content[key] for key in given} == given
    outputs = json.loads((tmp_path / "packed" / "configs" / "metadata.json").read_text())["network_data_format"][
        "outputs"
    ]
    assert (outputs["pred"]["num_channels"], outputs["pred"]["channel_def"]["1"]) == (3, "cyst")
    assert (outputs["cls"]["num_channels"], outputs["cls"]["channel_def"]) == (1, {"0": "no mass", "1": "mass"})


def test_large_files_are_listed_with_their_digests(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "LIMIT", 1 << 20)
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1000), np.uint8)  # does not become smaller
    Image.fromarray(noise).save(trained / "sample_data" / "large.png")
    (note,) = pack_bundle(trained, tmp_path / "one")
    assert note.endswith("give --weights_url for large_files.yml: sample_data/large.png")
    (note,) = pack_bundle(trained, tmp_path / "two", weights_url="https://example.com/v1/")
    assert note == "leave out of the model zoo's repository: sample_data/large.png"
    (listed,) = ConfigParser.load_config_file(tmp_path / "two" / "large_files.yml")["large_files"]
    assert listed["url"] == "https://example.com/v1/large.png"
    assert (listed["path"], listed["hash_type"], len(listed["hash_val"])) == ("sample_data/large.png", "sha256", 64)
    assert audit(tmp_path / "two") == []


def test_what_cannot_be_packed_is_refused(trained, tmp_path):
    with pytest.raises(ConfigError, match="is not empty"):
        pack_bundle(trained, trained)
    with pytest.raises(MissingError, match="no weights at"):
        pack_bundle(trained, tmp_path / "out", weights=tmp_path / "none.pt")
    with pytest.raises(ConfigError, match="trained with other settings") as raised:
        pack_bundle(trained, tmp_path / "out", weights=tmp_path / "training.pt")
    assert raised.value.where == ["image_size: [512, 256], inference.json [1024, 512]"]
    path = trained / "configs" / "metadata.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": "7.0.0"}))
    with pytest.raises(ConfigError, match=r"version 7\.0\.0 of hds_inbreast is not in its changelog"):
        pack_bundle(trained, tmp_path / "out")
    path.write_text(json.dumps(content))
    card = trained / "docs" / "README.md"
    card.rename(trained / "kept.md")
    with pytest.raises(MissingError, match="hds_inbreast has no card"):
        pack_bundle(trained, tmp_path / "out")
    (trained / "kept.md").rename(card)
    assert not (tmp_path / "out").exists()
    more = trained / "configs" / "more.json"
    more.write_text('{"x": {"_target_": "monai_mtl_other.Thing"}, "y": {"_target_": "monai_mtl.none.Thing"}}')
    files = package_files(["monai_mtl.none.Thing"])
    assert files == [Path("__init__.py")], "the check of the config says that there is no such name"
    with pytest.raises(ConfigError, match="is no name of monai_mtl"):
        package_files(["monai.data.Dataset"])


def damage(name: str, bundle: Path, monkeypatch) -> None:
    """Make a pack fail late."""
    if name == "a package without a version":
        monkeypatch.setattr(packed_metadata, "other_packages", lambda files: {"surprise"})
    elif name == "a name that no manifest holds":
        (bundle / "docs" / "a\nb.md").write_text("")
    elif name == "damaged weights":
        (bundle / "models" / "model.safetensors").write_bytes(b"\xff" * 64)
    elif name == "no library to sign with":
        monkeypatch.setitem(sys.modules, "model_signing.signing", None)
    elif name == "stopped by hand":
        monkeypatch.setattr(pack, "audit", stopped)


def stopped(_: Path) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("a package without a version", False),
        ("a name that no manifest holds", True),
        ("damaged weights", False),
        ("no library to sign with", True),
        ("no key", False),
        ("stopped by hand", True),
    ],
)
def test_a_pack_that_fails_leaves_nothing(trained, tmp_path, monkeypatch, name, there):
    damage(name, trained, monkeypatch)
    target = tmp_path / "out" / "packed"
    if there:
        target.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt if name == "stopped by hand" else (ConfigError, MissingError)):
        pack_bundle(trained, target, key=tmp_path / "none.pem" if "key" in name or "sign" in name else None)
    assert sorted(tmp_path.rglob("*")) == before


def test_it_may_be_packed_into_an_empty_current_folder_and_into_one_of_the_bundle(trained, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pack_bundle(trained, Path())
    assert check_manifest(Path.cwd()) == []
    assert Path("MANIFEST.sha256").is_file()
    pack_bundle(trained, trained / "packed" / "one")
    assert sorted(path.name for path in (trained / "packed").iterdir()) == ["one"]
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert {path.name for path in (trained / "packed" / "one").iterdir()} == names
    assert (trained / "packed" / "one").stat().st_mode == (trained / "configs").stat().st_mode


def test_the_closure_is_part_of_the_package():
    files = package_files(["monai_mtl.networks.YNet"])
    assert {Path("__init__.py"), Path("networks/__init__.py"), Path("networks/ynet.py"), Path("layers/esp.py")} <= set(
        files
    )
    assert len(files) < len(list(PACKAGE.rglob("*.py"))) / 4
    assert not {"cli.py", "predictor.py"} & {file.name for file in files}


def test_versions_are_pinned_for_all_that_is_imported_and_above_our_floors(monkeypatch):
    files = package_files(
        ["monai_mtl.networks.YNet", "monai_mtl.data.MedicalReader", "monai_mtl.handlers.RegionWriter"]
    )
    found = pins(files)
    assert {"torch", "monai", "numpy", "pillow", "pydicom"} <= set(found)
    floors = re.findall(r'^    "([\w.-]+>=[\w.]+)",', (ROOT / "pyproject.toml").read_text(), re.M)
    assert len(floors) > 15
    for floor in map(Requirement, floors):
        pinned = {name.lower(): version for name, version in found.items()}.get(floor.name.lower())
        assert pinned is None or Version(pinned) in floor.specifier, floor
    assert "torch" in other_packages(files)
    monkeypatch.setattr(packed_metadata, "other_packages", lambda files: {"surprise"})
    with pytest.raises(ConfigError, match="no version is pinned"):
        pins(files)
