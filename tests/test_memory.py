"""What was freed goes back to the system, where the C library can do that."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monai_mtl import memory
from monai_mtl.memory import keep_free_memory, release_free_memory

PIECE = 1 << 16
"""Bytes; small enough that the C library keeps it for later when it is freed."""


def resident() -> float:
    """Mebibytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.skipif(not release_free_memory(), reason="this C library has no malloc_trim")
def test_freed_memory_goes_back_to_the_system():
    pieces = [torch.ones(PIECE // 4) for _ in range(2000)]
    last = torch.ones(PIECE // 4)  # else the last holes would go back by themselves
    gc.collect()
    before = resident()
    pieces.clear()
    assert release_free_memory()
    assert before - resident() > 0.8 * 2000 * PIECE / 2**20
    assert bool((last == 1).all())


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "_trim", None)
    assert not release_free_memory()
    monkeypatch.setattr("sys.platform", "darwin")
    assert memory._find("malloc_trim") is None


FAULTS = """
import resource, sys, torch
from monai_mtl.memory import keep_free_memory
assert keep_free_memory() is (sys.argv[1] == "kept")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(1 << 22)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def page_faults(how: str, **environment: str) -> int:
    """Of twenty tensors of 16 MiB, each freed before the next, in a process of its own."""
    free = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, how]
    done = subprocess.run(command, env=free | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not release_free_memory(), reason="not glibc")
def test_freed_memory_is_kept_for_the_next_tensor_unless_the_user_has_chosen():
    assert page_faults("kept") < 100
    assert page_faults("chosen", MALLOC_TRIM_THRESHOLD_="0") > 1000


def test_another_c_library_keeps_as_it_likes(monkeypatch):
    monkeypatch.setattr(memory, "_set", None)
    assert not keep_free_memory()
