"""Kills a small training of a bundle at random moments, resumes it, and compares the weights with an undisturbed run.

Each training is a process of its own that is ended by SIGKILL; the next one resumes. When one comes to its end, its
files are compared bit by bit with those of the undisturbed run, and another begins from nothing. The data are
synthetic.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fire
import torch
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SETTINGS = {"batch_size": 3, "max_epochs": 6, "val_interval": 2}
CLASSES = {"seg_classes": ["background", "mass"], "cls_classes": ["no mass", "mass"]}
"""Of the synthetic data, of which half have an empty mask."""
NARROW = {
    "hds_inbreast": {
        "network_def#widths": [4, 4, 4, 4, 4],
        "network_def#bottom_width": 4,
        "network_def#depths": 1,
        "network_def#cls_max_width": 4,
    },
}
FILES = ("model_last.pt", "model.pt")


def main(bundle: str = "hds_inbreast", kills: int = 100, workers: int = 0, seed: int = 0) -> None:
    """Run until ``kills`` trainings were killed and the last one has ended.

    Args:
        bundle: Name.
        kills: How many.
        workers: Processes that load data, in the disturbed trainings; the undisturbed one has none.
        seed: Of the moments.
    """
    from tests.factories import write_datalist

    torch.set_num_threads(1)
    moments = random.Random(seed)
    killed = ended = equal = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = write_datalist(folder / "data", patients=8)  # synthetic, six of them train
        begun = time.monotonic()
        _is_killed(_start(bundle, data, folder / "whole", 0, False), None)
        length = time.monotonic() - begun
        wanted = _digests(folder / "whole")
        bar = tqdm(total=kills, unit="kill", disable=None)
        target = folder / f"run{ended}"
        unfinished = True
        while killed < kills or unfinished:
            child = _start(bundle, data, target, workers, True)
            patience = moments.uniform(0.0, length) if killed < kills else None
            unfinished = _is_killed(child, patience)
            if unfinished:
                killed += 1
                bar.update()
                continue
            ended += 1
            equal += _digests(target) == wanted
            target = folder / f"run{ended}"
        bar.close()
    print(f"{killed} kills, {ended} trainings ended, {equal} with the weights of the undisturbed one")
    sys.exit(0 if ended == equal and ended else 1)


def _start(bundle: str, data: Path, models: Path, workers: int, resume: bool) -> int:
    from tests.small_runs import SMALL_RUNS

    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        settings = {**SMALL_RUNS[bundle], **NARROW.get(bundle, {}), **SETTINGS, **CLASSES}
        _train(ROOT / "bundles" / bundle, data, models, num_workers=workers, resume=resume, **settings)
        os._exit(0)
    finally:
        os._exit(1)


def _train(folder: Path, data: Path, models: Path, **settings: Any) -> None:
    from monai.bundle import ConfigWorkflow

    settings |= {"dataset_dir": str(data), "ckpt_dir": str(models), "output_dir": str(models / "eval")}
    workflow = ConfigWorkflow(
        str(folder / "configs" / "train.json"), logging_file=False, bundle_root=str(folder), **settings
    )
    workflow.initialize()
    workflow.run()


def _is_killed(child: int, patience: float | None) -> bool:
    """Wait for the end of a process, or kill it when ``patience`` seconds have gone by."""
    end = time.monotonic() + (patience if patience is not None else float("inf"))
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if status:
            raise RuntimeError(f"a training ended by itself with status {status}")
        if done:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for name in FILES:
        content = torch.load(folder / name, weights_only=True)
        parts = [(key, value.numpy().tobytes()) for key, value in sorted(content["model"].items())]
        found[name] = hashlib.sha256(repr(parts).encode()).hexdigest()
    found["identity"] = json.dumps(torch.load(folder / FILES[0], weights_only=True)["identity"])
    return found


if __name__ == "__main__":
    fire.Fire(main)
