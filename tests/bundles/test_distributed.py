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

from monai_mtl.registry import Bundle

from ..conftest import ROOT
from ..every_bundle import BUNDLES, every_bundle
from ..factories import write_datalist
from ..trained import tiny

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
STEPS, BATCH = 5, 8
SAME = {"device": "cpu", "precision": "fp32", "max_epochs": 1, "val_interval": 1, "network_def#dropout": 0.0}
SAME["network_def#encoder_lr_mult"] = 1.0  # a tenth of a small rate would hide what differs
RATES = {"skin_lesion_isic2017": {"learning_rate": 0.02}}  # of its narrow recipe; 0.001 hardly moves it in five steps
TWO = {
    "backend": "gloo",
    "batch_size": BATCH // 2,
    "network": {
        "_target_": "torch.nn.parallel.DistributedDataParallel",
        "module": "@one_network",
        "find_unused_parameters": False,
    },
}
ONE = {"network": "@one_network", "train#dataloader#sampler": "@train#sampler", "train#dataloader#shuffle": False}
WHOLE = {
    **ONE,
    "batch_size": BATCH,
    "train#sampler": {
        "_target_": "DistributedSampler",
        "dataset": "@train#dataset",
        "num_replicas": 1,
        "rank": 0,
        "shuffle": True,
    },
}
"""One process that takes the cases in the order in which several share them."""
PARTS = {
    **ONE,
    "batch_size": BATCH // 2,
    "train#trainer#accumulation_steps": 2,
    "train#sampler": {
        "_target_": "tests.bundles.frozen.InTurns",
        "dataset": "@train#dataset",
        "batch_size": "@batch_size",
    },
}
"""One process that takes the batches of two in turns and steps after both; some losses weigh pixels by their batch."""

BY_CASE = [bundle for bundle in BUNDLES if bundle.name != "ynet_biopsy"]
"""Those whose loss of a batch is the mean of its cases'; ynet_biopsy weighs tissues by their share in a batch."""


def trained(bundle: Bundle, folder: Path, network: Any, how: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Weights after a training by one or two processes, those that the loss learns too."""
    two, name = how is TWO, f"models_{len(list(folder.iterdir()))}"
    places = {"dataset_dir": str(folder / "data"), "ckpt_dir": str(folder / name), "output_dir": str(folder / "eval")}
    train = json.loads((bundle.folder / "configs" / "train.json").read_text())
    same = {key: value for key, value in SAME.items() if key.partition("#")[2] in ("", *train["network_def"])}
    path = folder / f"{name}.json"
    settings = {**tiny(bundle.folder, "train"), **same, **places, "one_network": network, **how}
    path.write_text(json.dumps({**settings, **RATES.get(bundle.name, {})}))
    files = [str(bundle.folder / "configs" / one) for one in ("train.json", "multi_gpu_train.json")][: 1 + two]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"] if two else []
    command = [sys.executable, *launcher, "-m", "monai.bundle", "run", "--config_file", str([*files, str(path)])]
    done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    content = torch.load(folder / name / "model_last.pt", weights_only=True)
    assert content["trainer"]["steps"] == STEPS * (how["batch_size"] == BATCH or two or 2) * passes(train)
    return {**content["model"], **{f"loss {key}.weight": value for key, value in content.get("loss", {}).items()}}


def passes(train: dict[str, Any]) -> int:
    """How often an epoch shows each case."""
    return len(train["train"].get("passes", [0]))


def difference(bundle: Bundle, folder: Path, network: Any, how: dict[str, Any]) -> float:
    """Length of the difference of all weights, as a share of their length."""
    write_datalist(folder / "data", patients=STEPS * BATCH + 2)
    two, one = trained(bundle, folder, network, TWO), trained(bundle, folder, network, how)
    assert set(two) == set(one)
    learnt = [name for name in one if name.endswith(("weight", "bias"))]
    two, one = (torch.cat([half[name].double().flatten() for name in learnt]) for half in (two, one))
    return float((two - one).norm() / one.norm())


def frozen(bundle: Bundle, **more: Any) -> dict[str, Any]:
    channels = bundle.metadata["network_data_format"]["inputs"]["image"]["num_channels"]
    return {"_target_": "tests.bundles.frozen.frozen", "network": "@network_def", "channels": channels, **more}


@pytest.mark.slow
@every_bundle
def test_two_processes_learn_what_one_learns(tmp_path, bundle):
    """Up to rounding: in float64 no difference is left."""
    assert difference(bundle, tmp_path, frozen(bundle, double=True), PARTS) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("double", "largest"), [(False, 1e-5), (True, 1e-12)])
@pytest.mark.parametrize("bundle", BY_CASE, ids=lambda bundle: bundle.name)
def test_and_what_one_learns_from_whole_batches(tmp_path, bundle, double, largest):
    assert difference(bundle, tmp_path, frozen(bundle, double=double), WHOLE) < largest


@pytest.mark.slow
@every_bundle
def test_batch_norm_of_half_batches_makes_the_difference(tmp_path, bundle):
    """On a CPU there is no synchronised batch norm, so each process has its own statistics."""
    assert difference(bundle, tmp_path, "@network_def", WHOLE) > 1e-3
