"""Functions and commands in processes of their own, which find the imports done.

A server that has imported the package forks them, so that each begins as a new interpreter would, without the seconds
that the imports take.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .conftest import ROOT

__all__ = ["Fresh", "fresh", "run_module"]

PATIENCE = 300.0
"""Seconds after which a process is ended."""
PARTS = ("bundle.opening", "data", "engines", "handlers", "inferers", "losses", "metrics", "networks", "predictor")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["monai.bundle.__main__", *(f"monai_mtl.{part}" for part in PARTS)])


class Fresh:
    """A function that runs in its own process; what it prints goes to files.

    Args:
        function: Of a module, so that it can be named to another process.
        args: Its arguments.
        cwd: Current folder there.
        env: Variables that are set there.
    """

    def __init__(
        self, function: Callable[..., Any], *args: Any, cwd: Path = ROOT, env: Mapping[str, str] | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._files = [str(Path(self._folder.name) / name) for name in ("stdout", "stderr")]
        given = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **(env or {})}
        self._process = CONTEXT.Process(target=_run, args=(function, args, str(cwd), given, self._files))
        self._process.start()
        self.args = args

    def __enter__(self) -> Fresh:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # nothing, if it has ended
        self._process.join()
        self._folder.cleanup()

    def text(self, which: int = 0) -> str:
        """What it has printed so far: stdout, or stderr with 1."""
        path = Path(self._files[which])
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, text: str) -> str:
        """What it has printed when ``text`` is in it."""
        end = time.monotonic() + PATIENCE
        while text not in (seen := self.text()):
            assert self._process.is_alive() or text in self.text(), self.text(1)
            assert time.monotonic() < end, f"no {text!r} in {seen}"
            time.sleep(0.02)
        return seen

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        os.kill(self._process.pid, signal.SIGINT)

    def wait(self) -> subprocess.CompletedProcess:
        """Its end, as that of a program that was run."""
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()
        return subprocess.CompletedProcess(self.args, self._process.exitcode, self.text(0), self.text(1))


def fresh(function: Callable[..., Any], *args: Any, **options: Any) -> subprocess.CompletedProcess:
    """Run a function in its own process and wait for its end; arguments as those of :class:`Fresh`."""
    with Fresh(function, *args, **options) as process:
        return process.wait()


def run_module(name: str, *words: str) -> None:
    """As ``python -m NAME WORDS`` does."""
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run(function: Callable[..., Any], args: tuple, cwd: str, env: Mapping[str, str], files: list[str]) -> None:
    import torch

    for stream, path in zip((sys.stdout, sys.stderr), files, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    os.chdir(cwd)
    os.environ.update(env)
    sys.path.insert(0, cwd)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    code: Any = 1
    try:
        function(*args)
        code = 0
    except SystemExit as left:
        code = left.code or 0
    except BaseException as error:  # as at the end of a program
        sys.excepthook(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 1)
