"""The lesion R-CNN against its own backbone and pyramid, and what its detection operators take. Called by bench.py."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from monai_mtl.networks import LesionRCNN, lesion_rcnn

__all__ = ["bench_lesion_rcnn"]

SIDE = 1024
"""Rows and columns of the image."""
AT_MOST = {"times_backbone": 1.6, "operators_share": 0.15, "peak_mib": 2560.0}
MEMORY = """
import sys, torch
from monai_mtl.networks import LesionRCNN
torch.set_num_threads(int(sys.argv[1]))
net, image = LesionRCNN(min_confidence=0.0, union=sys.argv[2] == "True").eval(), torch.randn(1, 3, 1024, 1024)
with torch.inference_mode():
    net(image)
print(int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024)
"""


@torch.inference_mode()
def bench_lesion_rcnn(rounds: int) -> dict[str, Any]:
    """One 1024 x 1024 image with random weights, in turns: backbone and pyramid alone, and all of it.

    The detection operators are the anchors, the proposals with their suppression, ROI align and the pasted mask; what
    is left of the difference are convolutions and linear layers of the heads. The peak is that of a process of its
    own, imports and weights included.

    Args:
        rounds: Turns of each; a quarter of them are made.
    """
    rounds = max(3, rounds // 4)
    net, image = LesionRCNN(min_confidence=0.0).eval(), torch.randn(1, 3, SIDE, SIDE)
    inside: list[float] = []
    for place, name in (
        (net.rpn, "anchors"),
        (net.rpn, "propose"),
        (lesion_rcnn, "pyramid_roi_align"),
        (lesion_rcnn, "paste_union"),
    ):
        setattr(place, name, _timed(getattr(place, name), inside))
    ways: dict[str, Callable[..., Any]] = {"backbone and pyramid": net.pyramid, "whole": net}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    shares = []
    for turn in range(rounds + 1):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            inside.clear()
            start = time.perf_counter()
            ways[name](image)
            taken = time.perf_counter() - start
            if turn == 0:
                continue  # a first pass finds its algorithms
            seconds[name].append(taken)
            if name == "whole":
                shares.append(sum(inside) / taken)
    ratios = sorted(whole / base for base, whole in zip(*seconds.values(), strict=True))
    words = (str(torch.get_num_threads()),)
    peaks = {name: _peak(*words, str(union)) for name, union in (("one mask", False), ("union", True))}
    return {
        "rounds": rounds,
        "side": SIDE,
        "at_most": AT_MOST,
        "median_s": {name: statistics.median(values) for name, values in seconds.items()},
        "times_backbone": statistics.median(ratios),
        "lower_quartile": ratios[len(ratios) // 4],
        "upper_quartile": ratios[-1 - len(ratios) // 4],
        "operators_share": statistics.median(shares),
        "peak_mib": peaks,
    }


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def run(*args: Any, **named: Any) -> Any:
        """As the function, and its time is kept."""
        start = time.perf_counter()
        result = function(*args, **named)
        seconds.append(time.perf_counter() - start)
        return result

    return run


def _peak(*words: str) -> float:
    done = subprocess.run([sys.executable, "-c", MEMORY, *words], capture_output=True, text=True, check=True)
    return float(done.stdout)
