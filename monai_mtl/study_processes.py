"""Runs of a study spread over the GPUs of this machine: each in a process of its own, which sees one of them.

Which GPU a run had is no setting of it: a study that was stopped goes on with other GPUs, with one or with none.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from . import study
from .bundle.explain import explained
from .errors import ConfigError, RunError
from .metrics import CaseTable
from .study import DONE, Run

__all__ = ["gpus", "perform_all"]

logger = logging.getLogger("monai_mtl")

SEEN = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"
PROGRAM = (sys.executable, "-m", "monai_mtl.study_processes")
PAUSE = 0.2
"""Seconds between two looks at the processes."""
INTERRUPTED = 130


def gpus() -> list[str]:
    """Names of the GPUs that this process sees, of which one can be shown to another process."""
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get(SEEN, "")
    return [name.strip() for name in named.split(",")][:count] if named else [str(i) for i in range(count)]


def perform_all(bundle: Path, runs: Sequence[Run], output: Path, devices: Sequence[str] = ()) -> dict[str, CaseTable]:
    """Train and evaluate several runs: as many at once as there are GPUs, or one after another in this process.

    Args:
        bundle: Folder of the bundle.
        runs: What to do; those that name a ``device`` are done in this process.
        output: Folder of the study.
        devices: GPUs, as :func:`gpus` names them; with fewer than two, all is done in this process.

    Returns:
        Scores of the test cases by name of the run.

    Raises:
        ConfigError: As :func:`~monai_mtl.study.perform`.
        RunError: If a process failed; the others are done, and the same study does only what is left.
    """
    left = [run for run in runs if not (output / run.name / DONE).is_file()]
    apart = [run for run in left if "device" not in run.settings]
    if min(len(devices), len(apart)) > 1:
        _spread(bundle, apart, output, devices)
    return {run.name: study.perform(bundle, run, output) for run in runs}


def _spread(bundle: Path, runs: Sequence[Run], output: Path, devices: Sequence[str]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    waiting, free, failed = list(runs), list(devices), dict[str, int]()
    working: dict[str, tuple[str, subprocess.Popen[str]]] = {}  # by run: a device may be named twice
    threads = max(1, (os.cpu_count() or 1) // min(len(devices), len(runs)))
    try:
        while waiting or working:
            while waiting and free:
                run, device = waiting.pop(0), free.pop(0)
                environment = {THREADS: str(threads), **os.environ, SEEN: device}
                working[run.name] = device, _start(bundle, run, output, environment)
                logger.info("%s: on GPU %s, told in %s", run.name, device, _log(output, run.name))
            time.sleep(PAUSE)
            for name, (device, process) in list(working.items()):
                if process.poll() is not None:
                    del working[name]
                    free.append(device)
                    logger.info("%s: %s", name, f"failed, {_log(output, name)}" if process.returncode else "done")
                    failed |= {name: process.returncode} if process.returncode else {}
    finally:
        for _, process in working.values():
            process.terminate()
            process.wait()
    if failed:
        kind = ConfigError if set(failed.values()) == {ConfigError.exit_code} else RunError
        logs = [_log(output, run.name) for run in runs if run.name in failed]
        raise kind(
            f"{len(failed)} of {len(runs)} runs failed; the others are done",
            where=[f"{log}: {_last(log)}" for log in logs],
            fix="read these files; the same command then does what is left",
        )


def _start(bundle: Path, run: Run, output: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    what = {"bundle": str(bundle.resolve()), "run": asdict(run), "output": str(output.resolve())}
    with _log(output, run.name).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            PROGRAM, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment, text=True
        )
    if process.stdin is not None:
        process.stdin.write(json.dumps(what))
        process.stdin.close()
    return process


def _log(output: Path, name: str) -> Path:
    return output / f"{name}.log"


def _last(log: Path) -> str:
    """What went wrong, in a line: the error of ours, or the last thing that was told."""
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("error: ")), (lines or ["nothing was told"])[-1])


def _child() -> int:
    """Perform the run that stands on stdin; the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stdout)
    logger.setLevel(logging.INFO)
    what = json.load(sys.stdin)
    run = Run(**what["run"])
    logger.info("%s: process %d, GPU %s", run.name, os.getpid(), os.environ.get(SEEN))
    try:
        study.perform(Path(what["bundle"]), run, Path(what["output"]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        ours = explained(error)
        if ours is None:
            raise
        sys.stdout.write(f"error: {ours}\n")
        return ours.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_child())
