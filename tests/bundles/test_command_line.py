"""The commands as a user types them: three places to start from, and bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.registry import Bundle

from ..conftest import ROOT
from ..every_bundle import every_bundle
from ..factories import write_datalist
from ..fresh import Fresh, fresh, run_module
from ..small_runs import on_sample_data, words
from ..trained import tiny

SHORT = {"max_epochs": 1, "val_interval": 1}
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
MONAI = ("monai.bundle", "run", "--config_file")

pytestmark = every_bundle


def run(where: Path, *given: str) -> subprocess.CompletedProcess:
    return fresh(run_module, *MONAI, *given, cwd=where)


def sample(bundle: Bundle, config: str = "train", **more) -> list[str]:
    """Words of a small run on the sample data, or on images of them."""
    return words({**on_sample_data(bundle.folder, config), **(SHORT if config == "train" else {}), **more})


def sample_images(bundle: Bundle) -> list[Path]:
    return sorted((bundle.folder / "sample_data" / "images").iterdir())


@pytest.fixture
def root(tmp_path, bundle) -> Path:
    """A clone: the bundle below a folder as in the collection, without what runs have written."""
    ignore = shutil.ignore_patterns("*.pt", "training.*", "eval", "predictions")
    shutil.copytree(bundle.folder, tmp_path / "bundles" / bundle.name, ignore=ignore)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def in_a_new_interpreter(where: Path, *given: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", *MONAI, *given]
    return subprocess.run(command, cwd=where, env=ENV, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("place", ["root", "bundle", "renamed copy"])
def test_it_trains_into_its_own_folder_from_everywhere(root, bundle, place):
    folder, cwd = root / "bundles" / bundle.name, root
    if place == "renamed copy":
        folder = folder.rename(root / "my_own")
    if place == "bundle":
        cwd = folder
    before = files(root)
    config = os.path.relpath(folder / "configs" / "train.json", cwd)
    done = (in_a_new_interpreter if place == "root" else run)(cwd, config, *sample(bundle))
    assert done.returncode == 0, done.stderr
    made = {f"models/{name}.pt" for name in ("model", "model_best_accuracy", "model_last")}
    made |= {"models/training.csv", "models/training.png"}
    assert files(root) - before == {str((folder / name).relative_to(root)) for name in made}
    assert "the whole run takes about" in done.stdout
    assert all(name in done.stdout for name in bundle.metadata["eval_metrics"])


def mask_of_another_size(data: Path) -> None:
    Image.fromarray(np.zeros((7, 9), np.uint8)).save(data / "masks" / "case1.png")


def undeclared(data: Path) -> None:
    path = data / "dataset.json"
    path.write_text(path.read_text().replace('"label_cls": 1', '"label_cls": 5'))


def emptied(data: Path) -> None:
    shutil.rmtree(data / "images")
    (data / "dataset.json").unlink()


BAD_INPUT: dict[str, tuple[Callable[[Path], None] | None, list[str], str]] = {
    "unknown override": (None, ["--max_epoch", "1"], "did you mean max_epochs?"),
    "wrong folder": (None, ["--dataset_dir", "nowhere"], "error: no folder nowhere"),
    "empty folder": (emptied, [], "no data set"),
    "no masks": (lambda data: shutil.rmtree(data / "masks"), [], "6 of 6 cases have no mask"),
    "mask of another size": (mask_of_another_size, [], "1 of 6 cases have a mask of another size"),
    "undeclared labels": (undeclared, [], "3 of 6 cases have an undeclared label_cls"),
}


@pytest.mark.parametrize("fault", BAD_INPUT)
def test_bad_input_ends_with_one_error_and_leaves_only_the_details_that_it_names(root, bundle, fault):
    spoil, given, message = BAD_INPUT[fault]
    data = write_datalist(root / "data")
    if spoil is not None:
        spoil(data)
        given = [*given, "--dataset_dir", "data"]
    before = files(root)
    settings = words({**tiny(bundle.folder, "train"), **SHORT})
    done = run(root, f"bundles/{bundle.name}/configs/train.json", *settings, *given)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("error:") == 1
    assert "  fix: " in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    details = {f"bundles/{bundle.name}/eval/check.{suffix}" for suffix in ("json", "png")}
    assert files(root) - before == (details if "details: " in done.stderr else set())
    assert ("details: " in done.stderr) == (spoil is not None and fault != "empty folder")


def test_ctrl_c_leaves_weights_that_load(root, bundle):
    name = f"bundles/{bundle.name}"
    words = [f"{name}/configs/train.json", *sample(bundle, max_epochs=90000)]
    with Fresh(run_module, *MONAI, *words, cwd=root) as training:
        seen = training.wait_for("the whole run takes about")
        assert f"{name}/configs/demo.json" in seen
        time.sleep(0.5)
        training.interrupt()
        done = training.wait()
    assert done.returncode == 130, done.stderr
    assert re.search(r"stopped in epoch \d+; the (weights so far|state after epoch \d+) (are|is) in ", done.stdout)
    assert "Traceback" not in done.stderr
    image = sample_images(bundle)[0]
    places = {"checkpoint": str(root / name / "models" / "model_last.pt"), "dataset_dir": str(image)}
    done = run(root, f"{name}/configs/inference.json", *sample(bundle, "inference", **places))
    assert done.returncode == 0, done.stderr
    result = json.loads((root / name / "predictions" / f"{image.stem}.json").read_text())
    classes = json.loads((bundle.folder / "sample_data" / "dataset.json").read_text())["classes"]["cls"]
    assert list(result["classification"]["probabilities"]) == classes


def test_one_broken_image_is_named_at_the_end_and_stops_no_other(root, bundle):
    name, folder = f"bundles/{bundle.name}", root / "images"
    folder.mkdir()
    images = sample_images(bundle)[:2]
    for path in images:
        shutil.copy(path, folder)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    done = run(root, f"{name}/configs/train.json", *sample(bundle))
    assert done.returncode == 0, done.stderr
    done = run(root, f"{name}/configs/inference.json", *sample(bundle, "inference", dataset_dir="images"))
    assert done.returncode == 1
    assert "1 of 3 images could not be used; all others are done\n  broken: cannot read" in done.stderr
    summary = json.loads((root / name / "predictions" / "results.json").read_text())
    assert [r["case_id"] for r in summary["results"]] == [path.stem for path in images]
    assert [f["case_id"] for f in summary["failed"]] == ["broken"]


def test_inference_without_weights_says_how_to_get_some(root, bundle):
    done = run(root, f"bundles/{bundle.name}/configs/inference.json")
    assert done.returncode == 2
    assert "error: no weights at" in done.stderr
    assert "train first" in done.stderr
    assert not (root / "bundles" / bundle.name / "predictions").exists()


@pytest.mark.slow
def test_two_processes_train_together_and_count_each_case_once(root, bundle):
    """The overlay for several GPUs, on the CPU."""
    name = f"bundles/{bundle.name}"
    cpu = {"device": "cpu", "backend": "gloo", "network": {"device_ids": None, "module": "@network_def"}}
    path = root / name / "configs" / "cpu.json"
    path.write_text(json.dumps({**cpu, "network": {**cpu["network"], "_target_": DDP}}))
    configs = str([f"{name}/configs/{one}.json" for one in ("train", "multi_gpu_train", "cpu")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    command += [*MONAI, configs, *sample(bundle)]
    done = subprocess.run(command, cwd=root, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    train = json.loads((bundle.folder / "configs" / "train.json").read_text())
    (metric,) = train["validate"]["key_metric"]
    assert done.stdout.count(f"validation, epoch 1: {metric}") == 1
    cases = json.loads((bundle.folder / "sample_data" / "dataset.json").read_text())["validation"]
    assert f"(n={len(cases)})" in done.stdout
    assert (root / name / "models" / "model.pt").is_file()


DDP = "torch.nn.parallel.DistributedDataParallel"
