"""Whether two trainings left the same files, bit by bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

__all__ = ["assert_same", "files_of"]


def files_of(folder: Path) -> tuple[dict, dict, str]:
    """What a training left: its last state, its best weights, its table.

    Args:
        folder: Where it wrote to.
    """
    last, best = (torch.load(folder / name, weights_only=True) for name in ("model_last.pt", "model.pt"))
    return last, best, (folder / "training.csv").read_text()


def assert_same(one: Any, other: Any) -> None:
    """Fail unless both hold the same, in the same order.

    Args:
        one: Tensors, numbers and texts in containers.
        other: The same.
    """
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other or (math.isnan(one) and math.isnan(other))
