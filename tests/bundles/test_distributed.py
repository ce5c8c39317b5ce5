"""Two processes learn what one learns from the same batches, by the data flow of multi_gpu_train.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ..conftest import ROOT
from ..factories import write_datalist

BUNDLE = ROOT / "bundles" / "hds_inbreast"
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
STEPS, BATCH = 5, 8
SAME = {
    "device": "cpu",
    "precision": "fp32",
    "image_size": [128, 128],
    "patch_size": [128, 128],
    "max_epochs": 1,
    "val_interval": 1,
    "network_def#widths": [4, 8, 8, 8, 8],
    "network_def#bottom_width": 8,
    "network_def#cls_max_width": 8,
    "network_def#dropout": 0.0,
}
TWO = {
    "backend": "gloo",
    "batch_size": BATCH // 2,
    "network": {
        "_target_": "torch.nn.parallel.DistributedDataParallel",
        "module": "@one_network",
        "find_unused_parameters": False,
    },
}
ONE = {
    "batch_size": BATCH,
    "network": "@one_network",
    "train#sampler": {
        "_target_": "DistributedSampler",
        "dataset": "@train#dataset",
        "num_replicas": 1,
        "rank": 0,
        "shuffle": True,
    },
    "train#dataloader#sampler": "@train#sampler",
    "train#dataloader#shuffle": False,
}
"""One process that takes the cases in the order in which several share them."""


def trained(folder: Path, processes: int, freeze: bool) -> dict[str, torch.Tensor]:
    """Weights after a training by one or two processes."""
    network = {"_target_": "tests.bundles.frozen.frozen", "network": "@network_def"} if freeze else "@network_def"
    places = {"dataset_dir": str(folder / "data"), "ckpt_dir": str(folder / f"{processes}_{freeze}")}
    overlay = {**SAME, **places, "output_dir": str(folder / "eval"), "one_network": network}
    path = folder / f"overlay_{processes}.json"
    path.write_text(json.dumps({**overlay, **(TWO if processes == 2 else ONE)}))
    files = [str(BUNDLE / "configs" / name) for name in ("train.json", "multi_gpu_train.json")][:processes]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"] if processes == 2 else []
    command = [sys.executable, *launcher, "-m", "monai.bundle", "run", "--config_file", str([*files, str(path)])]
    done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    content = torch.load(folder / f"{processes}_{freeze}" / "model_last.pt", weights_only=True)
    assert content["trainer"]["steps"] == STEPS
    return content["model"]


def difference(folder: Path, freeze: bool) -> float:
    """Largest difference of a weight, as a share of the largest of its tensor."""
    two, one = trained(folder, 2, freeze), trained(folder, 1, freeze)
    learnt = [name for name in one if name.endswith(("weight", "bias"))]
    assert set(two) == set(one)
    return max(float((one[n] - two[n]).abs().max() / one[n].abs().max().clamp(min=1e-3)) for n in learnt)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    write_datalist(tmp_path / "data", patients=STEPS * BATCH + 2)
    assert difference(tmp_path, freeze=True) < 1e-5


@pytest.mark.slow
def test_batch_norm_of_half_batches_makes_the_difference(tmp_path):
    """On a CPU there is no synchronised batch norm, so each process has its own statistics."""
    write_datalist(tmp_path / "data", patients=STEPS * BATCH + 2)
    assert difference(tmp_path, freeze=False) > 1e-4
