"""The deformable convolution against a plain one of the same shape. Called by bench.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from ratios import median_ratio
from torch import Tensor, nn

from monai_mtl.layers import DeformConv2d
from monai_mtl.layers.deform_conv import torchvision_operator

__all__ = ["bench_deform_conv"]

CHANNELS = 64
AT_MOST = {64: 6.0, 128: 8.0}
"""Times the seconds of a plain convolution, by the sides of the image."""
CALLS = 5
"""One after the other; a single one takes milliseconds."""


def bench_deform_conv(rounds: int) -> dict[str, Any]:
    """Forward passes of 3x3 convolutions of 64 to 64 channels, in turns, by the sides of the image.

    The offsets are those of random weights, a pixel or so. Where torchvision's operator loads, it is timed too.

    Args:
        rounds: Turns of each.
    """
    found = {}
    for side, at_most in AT_MOST.items():
        forms = {"plain": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), "deformable": _moving("auto")}
        if torchvision_operator() is not None:
            forms["torchvision"] = _moving("torchvision")
        found[f"{side} x {side}"] = {
            "at_most": at_most,
            **_in_turns(forms, torch.randn(1, CHANNELS, side, side), rounds),
        }
    return {"rounds": rounds, "channels": CHANNELS, "rows": found}


def _moving(form: str) -> DeformConv2d:
    conv = DeformConv2d(CHANNELS, CHANNELS, 3, padding=1, form=form)
    nn.init.normal_(conv.offset_conv.weight, std=0.05)
    return conv


@torch.inference_mode()
def _in_turns(forms: dict[str, Callable[[Tensor], Tensor]], image: Tensor, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(rounds):
        for name in list(forms)[:: -1 if turn % 2 else 1]:
            forms[name](image)
            start = time.perf_counter()
            for _ in range(CALLS):
                forms[name](image)
            seconds[name].append((time.perf_counter() - start) / CALLS)
    rows = {}
    for name, values in seconds.items():
        ratio = median_ratio(values, seconds["plain"])
        rows[name] = {"median_s": statistics.median(values), "times_plain": ratio.pop("median_ratio"), **ratio}
    return {"forms": rows}
