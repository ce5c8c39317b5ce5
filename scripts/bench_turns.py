"""Several ways to do the same thing, in turns, each in a process of its own: settings of one do not help another."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from ratios import median_ratio

__all__ = ["Run", "Way", "in_turns"]

Run = Callable[[], Any]


class Way(NamedTuple):
    """A function of a module, and its arguments, that prepares what is then run and measured."""

    prepare: Callable[..., Run]
    words: tuple


def in_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, Any]:
    """Seconds of each, and how many times quicker than the first in the same round.

    Args:
        ways: By name.
        rounds: Turns of each, forwards and backwards in turn.
    """
    context, turns = get_context("spawn"), {}
    for name, way in ways.items():
        ours, theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, way, torch.get_num_threads()), daemon=True).start()
        turns[name] = ours
    for turn in turns.values():
        turn.recv()
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds):
        for name in list(turns)[:: -1 if number % 2 else 1]:
            turns[name].send(True)
            seconds[name].append(turns[name].recv())
    for turn in turns.values():
        turn.send(False)
    return {"rounds": rounds, "rows": _rows(seconds)}


def _serve(turns: Connection, way: Way, threads: int) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(threads)
    run = way.prepare(*way.words)
    for _ in range(2):
        run()
    turns.send(0.0)
    while turns.recv():
        start = time.perf_counter()
        run()
        turns.send(time.perf_counter() - start)


def _rows(seconds: Mapping[str, list[float]]) -> dict[str, Any]:
    base = next(iter(seconds.values()))
    return {
        name: {"median_s": statistics.median(values), **median_ratio(base, values)} for name, values in seconds.items()
    }
