"""A function in a process of its own, with its time and memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds after which a process is ended."""
NET = 4 << 30
"""Bytes that it may ask for on top of what it had."""
MEGA = 1 << 20


@dataclass(frozen=True)
class Measured:
    """What came of it.

    Args:
        value: What the function returned.
        failure: Why it returned nothing, or "".
        seconds: Of the processor.
        megabytes: By which the process grew at most.
    """

    value: Any
    failure: str
    seconds: float
    megabytes: float


def measured(function: Callable[[], Any], patience: float = PATIENCE) -> Measured:
    """Call a function in a copy of this process, so that imports do not count.

    Args:
        function: Returns something that can be pickled.
        patience: Seconds by the clock after which the process is ended.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(function, sender))
    child.start()
    sender.close()
    result = Measured(None, f"ended after {patience:g} s", patience, 0.0)
    if receiver.poll(patience):
        try:
            result = receiver.recv()
        except EOFError:
            result = Measured(None, "the process died", 0.0, 0.0)
    child.kill()
    child.join()
    return result


def _run(function: Callable[[], Any], sender: Any) -> None:
    page = resource.getpagesize()
    size, resident = (int(n) * page for n in Path("/proc/self/statm").read_text().split()[:2])
    resource.setrlimit(resource.RLIMIT_AS, (size + NET, resource.RLIM_INFINITY))
    start, value, failure = time.process_time(), None, ""
    try:
        value = function()
    except BaseException as error:  # whatever it is, it is the result
        failure = f"{type(error).__name__}: {error}"[:300]
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    sender.send(Measured(value, failure, seconds, max(0, peak - resident) / MEGA))
    sender.close()
    os._exit(0)
