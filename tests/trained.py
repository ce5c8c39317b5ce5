"""Weights for a bundle without a training: random, with running statistics that have moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from monai_mtl.bundle.opening import open_bundle

SIZE = [256, 128]
SMALL = {"network_def#widths": [4, 8, 8, 8, 8], "network_def#bottom_width": 8, "network_def#cls_max_width": 8}
"""Overrides for a network that takes milliseconds."""


def random_weights(bundle: Path, path: Path, **settings: Any) -> Path:
    """A weights file for the network of the bundle's inference.json.

    Args:
        bundle: Folder of the bundle.
        path: File to write.
        **settings: Overrides.
    """
    torch.manual_seed(0)
    given = {"checkpoint": str(bundle / "LICENSE"), "dataset#data": [], **settings}
    parser = open_bundle(bundle, ["inference.json"], given)
    network = parser.get_parsed_content("network_def").train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(2, 1, *SIZE) * 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network.state_dict()}, path)
    return path
