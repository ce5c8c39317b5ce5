"""Weights for a bundle without a training: random, with running statistics that have moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from monai_mtl.bundle.opening import open_bundle

from .small_runs import SMALL_RUNS, fitting, small_run

SIZE = [256, 128]
SMALL = {name: value for name, value in SMALL_RUNS["hds_inbreast"].items() if name.startswith("network_def#")}
"""Overrides for a network of hds_inbreast that takes milliseconds."""
CLASSES = {"seg_classes": ["background", "mass"], "cls_classes": ["no mass", "mass"]}
"""Of the synthetic data of tests/factories.py."""


def tiny(bundle: Path, config: str = "inference") -> dict[str, Any]:
    """Overrides for a bundle on synthetic data: small images, a network that takes milliseconds.

    Args:
        bundle: Folder of the bundle.
        config: Config that has them all; those that it lacks are left out.
    """
    return fitting({**small_run(bundle), **CLASSES}, bundle, config)


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
    channels = parser.get_parsed_content("network_def#in_channels")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("offset_conv.weight"):  # zero at first, so that nothing in the image moves a point
                torch.nn.init.normal_(parameter, std=0.05)
        for _ in range(2):
            network(torch.rand(2, channels, *SIZE) * 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network.state_dict()}, path)
    return path
