"""Kills a small training of a bundle at random moments, resumes it, and compares its files with an undisturbed run's.

python scripts/kill.py acsnet_busi --kills 100

Each training is a process of its own that is ended by SIGKILL; the next one resumes. When one comes to its end, its
files are compared bit by bit with those of the undisturbed run, and another begins from nothing. The data are
synthetic.
"""

from __future__ import annotations

import hashlib
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
FILES = ("model_last.pt", "model.pt")


def main(bundle: str, kills: int = 100, workers: int = 0, seed: int = 0) -> None:
    """Run until ``kills`` trainings were killed and the last one has ended.

    Args:
        bundle: Name of any.
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
        for _ in range(2):  # the first one is slow
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
    print(f"{killed} kills, {ended} trainings ended, {equal} with the files of the undisturbed one")
    sys.exit(0 if ended == equal and ended else 1)


def _start(bundle: str, data: Path, models: Path, workers: int, resume: bool) -> int:
    from tests.trained import tiny

    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        folder = ROOT / "bundles" / bundle
        settings = {**tiny(folder, "train"), **SETTINGS}
        _train(folder, data, models, num_workers=workers, resume=resume, **settings)
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
    contents = {name: torch.load(folder / name, weights_only=True) for name in FILES}
    return {name: hashlib.sha256(repr(_parts(content)).encode()).hexdigest() for name, content in contents.items()}


def _parts(value: Any) -> Any:
    """What a file holds, tensors as their bytes: weights, optimiser, learned weights of a loss, identity."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return [(key, _parts(one)) for key, one in value.items()]
    return [_parts(one) for one in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    fire.Fire(main)
