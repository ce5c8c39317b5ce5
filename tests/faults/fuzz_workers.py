"""Worker processes of the fuzzer: one that dies or hangs costs one mutant, not the run."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

from .fuzz import HangError, Result, judge, mutant, read
from .fuzz_seeds import Seed

STUCK_S = 30.0
"""Wall time of one mutant after which its process is killed: an alarm does not reach a loop in C."""
CONTEXT = multiprocessing.get_context("fork")


@dataclass
class _Lane:
    process: Any
    connection: Connection
    todo: list[int]
    killed: bool = False
    since: float = field(default_factory=time.monotonic)


def fuzz(seeds: Sequence[Seed], numbers: Sequence[int], seed: int = 0, workers: int = 2) -> list[Result]:
    """Results of all mutants of these numbers; a process that dies or hangs is replaced."""
    lanes = [_start(seeds, list(numbers[k::workers]), seed) for k in range(workers)]
    results = []
    while lanes:
        ready = wait([lane.connection for lane in lanes], timeout=1.0)
        for lane in list(lanes):
            if lane.connection in ready:
                try:
                    message = lane.connection.recv()
                except EOFError:
                    lane.process.join()
                    lanes.remove(lane)
                    if not lane.todo:
                        continue
                    results.append(_lost(lane, mutant(seeds, lane.todo[0], seed)))
                    lane.todo.pop(0)
                    lanes.append(_start(seeds, lane.todo, seed))
                    continue
                results.append(message)
                lane.todo.remove(message.number)
                lane.since = time.monotonic()
            elif time.monotonic() - lane.since > STUCK_S:
                lane.killed = True
                lane.process.kill()
    return sorted(results, key=lambda result: result.number)


def _lost(lane: _Lane, made: tuple[Seed, bytes, str]) -> Result:
    kind = "over" if lane.killed else "crash"
    why = f"killed after {STUCK_S:g} s" if lane.killed else f"the process ended with {lane.process.exitcode}"
    return Result(lane.todo[0], made[0].name, made[2], kind, kind, why)


def _start(seeds: Sequence[Seed], numbers: list[int], seed: int) -> _Lane:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_work, args=(seeds, list(numbers), seed, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process ends the stream
    return _Lane(process, ours, numbers)


def _work(seeds: Sequence[Seed], numbers: list[int], seed: int, connection: Connection) -> None:
    parent = os.getppid()
    signal.signal(signal.SIGALRM, _interrupt)
    logging.disable(logging.CRITICAL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C complain there
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    warnings.filterwarnings("error", module=r"monai_mtl(\.|$)")
    with tempfile.TemporaryDirectory() as folder:
        truths = []
        for whole in seeds:
            path = Path(folder) / f"whole{whole.suffix}"
            path.write_bytes(whole.content)
            truths.append(read(path, whole))
        for number in numbers:
            if os.getppid() != parent:
                return  # nobody listens any more
            connection.send(judge(seeds, truths, number, seed, Path(folder)))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise HangError
