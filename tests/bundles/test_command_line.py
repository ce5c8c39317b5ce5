"""The commands as a user types them: three places to start from, and bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..factories import write_datalist

TINY = ["--image_size", "[128,128]", "--patch_size", "[128,128]", "--max_epochs", "1", "--val_interval", "1"]
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}


def run(where: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "monai.bundle", "run", *words]
    return subprocess.run(command, cwd=where, env=ENV, capture_output=True, text=True, timeout=300)


@pytest.fixture
def root(tmp_path) -> Path:
    """A clone: the collection's bundles below a folder, without what runs have written."""
    ignore = shutil.ignore_patterns("*.pt", "training.*", "eval", "predictions")
    shutil.copytree(ROOT / "bundles", tmp_path / "bundles", ignore=ignore)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["root", "bundle", "renamed copy"])
def test_it_trains_into_its_own_folder_from_everywhere(root, place):
    bundle, cwd = root / "bundles" / "hds_inbreast", root
    if place == "renamed copy":
        bundle = bundle.rename(root / "my_masses")
    if place == "bundle":
        cwd = bundle
    before = files(root)
    config = os.path.relpath(bundle / "configs" / "train.json", cwd)
    done = run(cwd, "--config_file", config, *TINY)
    assert done.returncode == 0, done.stderr
    made = {f"models/{name}.pt" for name in ("model", "model_best_accuracy", "model_last")}
    made |= {"models/training.csv", "models/training.png"}
    assert files(root) - before == {str((bundle / name).relative_to(root)) for name in made}
    assert "the whole run takes about" in done.stdout
    assert "val_cls_auc" in done.stdout


def mask_of_another_size(data: Path) -> None:
    shutil.copy(ROOT / "bundles/hds_inbreast/sample_data/masks/P115_R_DM_CC.png", data / "masks" / "case1.png")


BAD_INPUT = {
    "unknown override": (None, ["--max_epoch", "1"], "did you mean max_epochs?"),
    "wrong folder": (None, ["--dataset_dir", "nowhere"], "error: no folder nowhere"),
    "empty folder": (
        lambda data: shutil.rmtree(data / "images") or (data / "dataset.json").unlink(),
        [],
        "no data set",
    ),
    "no masks": (lambda data: shutil.rmtree(data / "masks"), [], "6 of 6 cases have no mask"),
    "mask of another size": (mask_of_another_size, [], "1 of 6 cases have a mask of another size"),
    "undeclared labels": (
        lambda data: (data / "dataset.json").write_text(
            (data / "dataset.json").read_text().replace('"label_cls": 1', '"label_cls": 5')
        ),
        [],
        "3 of 6 cases have an undeclared label_cls",
    ),
}


@pytest.mark.parametrize("fault", BAD_INPUT)
def test_bad_input_ends_with_one_error_and_leaves_only_the_details_that_it_names(root, fault):
    spoil, words, message = BAD_INPUT[fault]
    data = write_datalist(root / "data")
    if spoil is not None:
        spoil(data)
        words = [*words, "--dataset_dir", "data"]
    before = files(root)
    done = run(root, "--config_file", "bundles/hds_inbreast/configs/train.json", *TINY, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("error:") == 1
    assert "  fix: " in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    details = {f"bundles/hds_inbreast/eval/check.{suffix}" for suffix in ("json", "png")}
    assert files(root) - before == (details if "details: " in done.stderr else set())
    assert ("details: " in done.stderr) == (spoil is not None and fault != "empty folder")


def test_ctrl_c_leaves_weights_that_load(root):
    config = "bundles/hds_inbreast/configs/train.json"
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config, *TINY, "--max_epochs", "90000"]
    process = subprocess.Popen(command, cwd=root, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        seen = ""
        while "step 2/" not in seen:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            seen += line
        assert "the whole run takes about" in seen
        assert "bundles/hds_inbreast/configs/demo.json" in seen
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert re.search(r"stopped in epoch \d+; the (weights so far|state after epoch \d+) (are|is) in ", out)
    assert "Traceback" not in err
    last = root / "bundles/hds_inbreast/models/model_last.pt"
    sizes, images = ["--image_size", "[128,128]"], "bundles/hds_inbreast/sample_data/images/P115_R_DM_CC.jpg"
    config = "bundles/hds_inbreast/configs/inference.json"
    done = run(root, "--config_file", config, "--checkpoint", str(last), "--dataset_dir", images, *sizes)
    assert done.returncode == 0, done.stderr
    result = json.loads((root / "bundles/hds_inbreast/predictions/P115_R_DM_CC.json").read_text())
    assert set(result["classification"]["probabilities"]) == {"no mass", "mass"}


def test_one_broken_image_is_named_at_the_end_and_stops_no_other(root):
    folder = root / "images"
    folder.mkdir()
    for name in ("P115_R_DM_CC.jpg", "P93_L_DM_CC.jpg"):
        shutil.copy(ROOT / "bundles/hds_inbreast/sample_data/images" / name, folder)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    done = run(root, "--config_file", "bundles/hds_inbreast/configs/train.json", *TINY)
    assert done.returncode == 0, done.stderr
    config = "bundles/hds_inbreast/configs/inference.json"
    done = run(root, "--config_file", config, "--dataset_dir", "images", "--image_size", "[128,128]")
    assert done.returncode == 1
    assert "1 of 3 images could not be used; all others are done\n  broken: cannot read" in done.stderr
    summary = json.loads((root / "bundles/hds_inbreast/predictions/results.json").read_text())
    assert [r["case_id"] for r in summary["results"]] == ["P115_R_DM_CC", "P93_L_DM_CC"]
    assert [f["case_id"] for f in summary["failed"]] == ["broken"]


def test_inference_without_weights_says_how_to_get_some(root):
    done = run(root, "--config_file", "bundles/hds_inbreast/configs/inference.json")
    assert done.returncode == 2
    assert "error: no weights at" in done.stderr
    assert "train first" in done.stderr
    assert not (root / "bundles/hds_inbreast/predictions").exists()


@pytest.mark.slow
def test_two_processes_train_together_and_count_each_case_once(root):
    """The overlay for several GPUs, on the CPU."""
    configs = "['bundles/hds_inbreast/configs/train.json','bundles/hds_inbreast/configs/multi_gpu_train.json']"
    cpu = {"device": "cpu", "backend": "gloo", "network": {"device_ids": None, "module": "@network_def"}}
    path = root / "bundles/hds_inbreast/configs/cpu.json"
    path.write_text(json.dumps({**cpu, "network": {**cpu["network"], "_target_": DDP}}))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    command += ["monai.bundle", "run", "--config_file", configs.replace("]", f",'{path.relative_to(root)}']"), *TINY]
    done = subprocess.run(command, cwd=root, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation, epoch 1: val_seg_dice") == 1
    assert "(n=3)" in done.stdout
    assert "(n=6)" in done.stdout
    assert (root / "bundles/hds_inbreast/models/model.pt").is_file()


DDP = "torch.nn.parallel.DistributedDataParallel"
