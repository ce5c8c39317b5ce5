"""What was freed goes back to the system, where the C library can do that."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import pytest
import torch

from monai_mtl import memory
from monai_mtl.memory import release_free_memory

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
    assert memory._find_trim() is None
