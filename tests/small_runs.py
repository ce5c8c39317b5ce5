"""Settings with which a training of a bundle takes seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["SMALL_RUNS", "declared_classes", "fitting", "on_sample_data", "small_run", "words"]

SMALL_RUNS: dict[str, dict[str, Any]] = {
    "acsnet_busi": {"image_size": [64, 64], "network_def#width": 16},
    "fcn_ddsm": {"image_size": [64, 64], "network_def#encoder_depth": 18, "network_def#width": 8},
    "hds_inbreast": {
        "image_size": [128, 128],
        "patch_size": [128, 128],
        "network_def#widths": [4, 8, 8, 8, 8],
        "network_def#bottom_width": 8,
        "network_def#cls_max_width": 8,
    },
    "skin_lesion_isic2017": {
        "image_size": [128, 128],
        "network_def#encoder_depth": 18,
        "network_def#width": 4,
        "network_def#pyramid_channels": 8,
        "network_def#hidden": 16,
        "network_def#anchor_sizes": [16, 32, 64, 128, 256],
        "network_def#proposals": [300, 60, 40],
        "network_def#samples": [10000, 300],  # all, so that chance plays no part
        "min_confidence": 0.0,  # an untrained network is sure of nothing
        "phases": [{"epochs": 1}],  # all at once
    },
    "ynet_biopsy": {
        "image_size": [64, 64],
        "zoomed_size": [96, 96],
        "zoomed_area": [80, 80],
        "max_trim": 4,
        "network_def#width": 16,
        "network_def#depth": 1,
    },
}
"""By bundle: small images, a narrow network."""
OF_THE_DEMO = ("_desc_", "ckpt_dir", "output_dir", "report_title")
"""Settings of demo.json that make nothing small."""
BUNDLES = Path(__file__).parents[1] / "bundles"


def small_run(bundle: Path) -> dict[str, Any]:
    """Small settings of a bundle; one that has none takes those of one with its network, or of its own demo.

    Args:
        bundle: Folder.
    """
    names = [bundle.name, *(name for name in SMALL_RUNS if _network(BUNDLES / name) == _network(bundle))]
    found = next((SMALL_RUNS[name] for name in names if name in SMALL_RUNS), None)
    if found is not None:
        return dict(found)
    demo = _config(bundle, "demo")
    return {name: value for name, value in demo.items() if name not in OF_THE_DEMO}


def declared_classes(bundle: Path) -> dict[str, list[str]]:
    """Settings for the classes that a bundle's sample data declare; a folder of images alone cannot declare any.

    Args:
        bundle: Folder.
    """
    content = json.loads((bundle / "sample_data" / "dataset.json").read_text())
    return {f"{task}_classes": names for task, names in content.get("classes", {}).items()}


def fitting(settings: dict[str, Any], bundle: Path, config: str) -> dict[str, Any]:
    """Those settings that a config has.

    Args:
        settings: By name.
        bundle: Folder.
        config: Name of the config.
    """
    content = _config(bundle, config)
    return {name: value for name, value in settings.items() if name.partition("#")[0] in content}


def on_sample_data(bundle: Path, config: str = "train") -> dict[str, Any]:
    """Small settings for a bundle's sample data, which a folder with some of its images needs as well.

    Args:
        bundle: Folder.
        config: Name of the config.
    """
    return fitting({**small_run(bundle), **declared_classes(bundle)}, bundle, config)


def words(settings: dict[str, Any]) -> list[str]:
    """Settings as words of a command.

    Args:
        settings: By name.
    """
    texts = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in settings.items())
    return [word for name, text in texts for word in (f"--{name}", text)]


def _config(bundle: Path, name: str) -> dict[str, Any]:
    return json.loads((bundle / "configs" / f"{name}.json").read_text())


def _network(bundle: Path) -> str:
    return _config(bundle, "train")["network_def"]["_target_"]
