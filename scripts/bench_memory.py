"""Memory of a bundle's inference: peaks in processes of their own. Called by bench_networks.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from monai_mtl.registry import Bundle

__all__ = ["bench_memory"]

MANY = 200
"""Images of a long run, whose memory must stay that of its first tenth."""
FEWER = {"skin_lesion_isic2017": 40}
"""Of a network that takes seconds for an image."""
REGION = (3000, 2000)
"""Columns and rows of a large image, for a bundle that lays tiles."""
MEMORY = """
import json, sys, torch
from monai_mtl.predictor import Predictor
words = json.loads(sys.argv[1])
torch.set_num_threads(words["threads"])
def mib(text):
    return int(next(l for l in open("/proc/self/status") if l.startswith(text)).split()[1]) / 1024
found = [mib("VmRSS")]
predictor = Predictor(*words["predictor"], device="cpu")
for images in words["images"]:
    predictor.run(images, words["out"])
    found.append(mib("VmHWM"))
print(json.dumps(found))
"""


def bench_memory(
    bundle: Bundle, weights: Path, images: Path, folder: Path, made: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Peak of a run above what the imports take, and how much it still grows in a long run.

    Args:
        bundle: One of the registry.
        weights: Weights file.
        images: Folder with a few images.
        folder: For what is made here.
        made: Backend and precision of each export beside the weights.
    """
    few = sorted(str(path) for path in images.iterdir())
    count = FEWER.get(bundle.name, MANY)
    many = _copies(few, folder / "many", count)
    runs = {name: (*how, [few]) for name, how in {"torch auto": ("torch", "auto"), **made}.items()}
    for name, how in {"torch auto": ("torch", "auto"), **dict(list(made.items())[-1:])}.items():
        runs[f"{name}, {count} images"] = (*how, [many[: count // 10], many])
    if "tile_overlap" in json.loads((bundle.folder / "configs" / "inference.json").read_text()):
        region = [[str(_region(few, folder / "region.png"))]]
        runs["torch auto, {} x {}".format(*REGION)] = ("torch", "auto", region)
    found = {}
    for name, (backend, precision, lists) in runs.items():
        words = {"predictor": [str(bundle.folder), str(weights), backend, precision], "out": str(folder / "out")}
        words |= {"images": lists, "threads": torch.get_num_threads()}
        command = [sys.executable, "-W", "ignore", "-c", MEMORY, json.dumps(words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, *peaks = json.loads(done.stdout.splitlines()[-1])
        row = {"imports_mib": before, "peak_mib": peaks[-1], "above_imports_mib": peaks[-1] - before}
        found[f"Predictor, {name}"] = row | ({"grown_mib": peaks[-1] - peaks[0]} if len(peaks) > 1 else {})
    return {"rows": found}


def _copies(images: list[str], folder: Path, count: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    sources = [Path(images[i % len(images)]) for i in range(count)]
    return sorted(str(shutil.copy(one, folder / f"{i:03d}{one.suffix}")) for i, one in enumerate(sources))


def _region(images: list[str], target: Path) -> Path:
    """A large image laid out with the others, row by row."""
    region, placed = Image.new("RGB", REGION), 0
    pictures = [Image.open(path).convert("RGB") for path in images]
    width, height = pictures[0].size
    for top in range(0, REGION[1], height):
        for left in range(0, REGION[0], width):
            region.paste(pictures[placed % len(pictures)], (left, top))
            placed += 1
    region.save(target)
    return target
