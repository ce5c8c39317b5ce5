"""Weights for a bundle without a training: random, with running statistics that have moved."""

from __future__ import annotations

from pathlib import Path

import torch

from monai_mtl.bundle.opening import open_bundle

SIZE = [256, 128]


def random_weights(bundle: Path, path: Path) -> Path:
    """A weights file for the network of the bundle's inference.json.

    Args:
        bundle: Folder of the bundle.
        path: File to write.
    """
    torch.manual_seed(0)
    parser = open_bundle(bundle, ["inference.json"], {"checkpoint": str(bundle / "LICENSE"), "dataset#data": []})
    network = parser.get_parsed_content("network_def").train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(2, 1, *SIZE) * 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network.state_dict()}, path)
    return path
