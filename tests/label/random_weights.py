"""Writes weights of a bundle that ships none, as a training would before its first step.

Runs in the collection's own environment: ``python random_weights.py BUNDLE FILE``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from monai_mtl.bundle.opening import component, open_bundle


def main(bundle: Path, file: Path) -> None:
    """Seeded weights with the settings of inference.json, as ``models/model.pt`` has them."""
    parser = open_bundle(bundle, ["inference.json"], {})
    torch.manual_seed(1)
    network = component(parser, "network_def")
    torch.save({"model": network.state_dict(), "settings": component(parser, "handlers#0#settings")}, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
