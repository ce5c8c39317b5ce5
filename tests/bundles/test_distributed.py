"""Two processes learn what one learns from the same batches, by the data flow of multi_gpu_train.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


FROZEN = {"_target_": "tests.bundles.frozen.frozen", "network": "@network_def"}


def trained(folder: Path, processes: int, network: Any) -> dict[str, torch.Tensor]:
    """Weights after a training by one or two processes."""
    places = {"dataset_dir": str(folder / "data"), "ckpt_dir": str(folder / f"models_{processes}")}
    overlay = {**SAME, **places, "output_dir": str(folder / "eval"), "one_network": network}
    path = folder / f"overlay_{processes}.json"
    path.write_text(json.dumps({**overlay, **(TWO if processes == 2 else ONE)}))
    files = [str(BUNDLE / "configs" / name) for name in ("train.json", "multi_gpu_train.json")][:processes]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"] if processes == 2 else []
    command = [sys.executable, *launcher, "-m", "monai.bundle", "run", "--config_file", str([*files, str(path)])]
    done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    content = torch.load(folder / f"models_{processes}" / "model_last.pt", weights_only=True)
    assert content["trainer"]["steps"] == STEPS
    return content["model"]


def difference(folder: Path, network: Any) -> float:
    """Length of the difference of all weights, as a share of their length."""
    write_datalist(folder / "data", patients=STEPS * BATCH + 2)
    two, one = trained(folder, 2, network), trained(folder, 1, network)
    assert set(two) == set(one)
    learnt = [name for name in one if name.endswith(("weight", "bias"))]
    two, one = (torch.cat([half[name].double().flatten() for name in learnt]) for half in (two, one))
    return float((two - one).norm() / one.norm())


@pytest.mark.slow
@pytest.mark.parametrize(("double", "largest"), [(False, 1e-5), (True, 1e-12)])
def test_two_processes_learn_what_one_learns(tmp_path, double, largest):
    """Up to rounding: in float64 no difference is left."""
    assert difference(tmp_path, {**FROZEN, "double": double}) < largest


@pytest.mark.slow
def test_batch_norm_of_half_batches_makes_the_difference(tmp_path):
    """On a CPU there is no synchronised batch norm, so each process has its own statistics."""
    assert difference(tmp_path, "@network_def") > 1e-3
