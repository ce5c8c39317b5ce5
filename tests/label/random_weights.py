"""Makes a bundle that ships no weights ready to be packed: a copy with random ones, as a training would begin with.

Runs in the collection's own environment: ``python random_weights.py BUNDLE COPY``.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from monai_mtl.bundle.opening import component, open_bundle
from monai_mtl.bundle.settings import put_setting
from tests.small_runs import fitting, small_run

SEEDS = {"fcn_ddsm": 1, "skin_lesion_isic2017": 6}
"""With which the mask of the checks' picture holds every label, and the box lies inside the picture."""


def small(bundle: Path) -> dict[str, Any]:
    """Settings that make a bundle quick on two cores: its own network on half the sides, or small ones throughout."""
    return {"fcn_ddsm": {"image_size": [576, 448]}}.get(bundle.name) or small_run(bundle)


def main(bundle: Path, copy: Path) -> None:
    """Copy; write ``models/model.pt`` with seeded weights and the settings of inference.json, as a training does."""
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("models", "eval", "predictions", "cache"))
    make_small(bundle, copy)
    parser = open_bundle(copy, ["inference.json"], {})
    torch.manual_seed(SEEDS.get(bundle.name, 1))
    network = component(parser, "network_def")
    (file := copy / "models" / "model.pt").parent.mkdir()
    torch.save({"model": network.state_dict(), "settings": component(parser, "handlers#0#settings")}, file)


def make_small(bundle: Path, copy: Path) -> None:
    """Write small settings where :func:`monai_mtl.bundle.pack.pack_bundle` asks for those of other weights."""
    settings = small(bundle)
    for name in ("inference", "train"):
        path = copy / "configs" / f"{name}.json"
        config = json.loads(path.read_text())
        for key, value in fitting(settings, bundle, name).items():
            put_setting(config, key, value, path)
        path.write_text(json.dumps(config))
    path = copy / "configs" / "metadata.json"
    metadata: dict[str, Any] = json.loads(path.read_text())
    for kind in metadata["network_data_format"].values():
        for tensor in kind.values():
            tensor["spatial_shape"] = settings["image_size"] if tensor["spatial_shape"] else []
    path.write_text(json.dumps(metadata))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
