"""What a packed bundle's ``metadata.json`` says: exact versions, and the sizes and classes of its weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .closure import other_packages

__all__ = ["packed_metadata", "pins"]


def pins(files: list[Path]) -> dict[str, str]:
    """Versions of the distributions that files of this package import.

    Args:
        files: As :func:`package_files` returns them.

    Raises:
        ConfigError: If no version is pinned for one of them.
    """
    known = json.loads((Path(__file__).parent / "pins.json").read_text())
    modules = other_packages(files) | {"monai", "numpy", "torch"}
    unknown = sorted(modules - set(known["modules"]) - set(known["optional"]))
    if unknown:
        raise ConfigError("no version is pinned for these packages", unknown, fix="add them to bundle/pins.json")
    names = {name for module in modules & set(known["modules"]) for name in known["modules"][module]}
    return {name: known["distributions"][name] for name in sorted(names, key=str.lower)}


def packed_metadata(
    metadata: dict[str, Any], files: list[Path], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Metadata of a packed bundle.

    Args:
        metadata: Of the bundle.
        files: That come with it, as :func:`package_files` returns them.
        settings: By config, those that the weights were trained with.

    Raises:
        ConfigError: If no version is pinned for a package.
    """
    found = pins(files)
    changed = {
        **metadata,
        "monai_version": found.pop("monai"),
        "pytorch_version": found.pop("torch"),
        "numpy_version": found.pop("numpy"),
        "required_packages_version": found,
    }
    return _fitted(changed, settings.get("inference.json", {}))


def _fitted(metadata: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and classes of the weights that ship, in place of the paper's."""
    declared = metadata["network_data_format"]
    old = declared["inputs"]["image"]["spatial_shape"]
    size = settings.get("image_size", old)
    for one in _tensors(declared):
        sides = zip(one["spatial_shape"], size, old, strict=True) if one["spatial_shape"] else ()
        one["spatial_shape"] = [side * new // was for side, new, was in sides]
    for name, key in (("pred", "seg_classes"), ("cls", "cls_classes")):
        if key in settings:
            names, output = settings[key], declared["outputs"][name]
            output["channel_def"] = {str(i): word for i, word in enumerate(names)}
            output["num_channels"] = 1 if output["num_channels"] == 1 else len(names)  # one logit stays one
    return metadata


def _tensors(declared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from declared["inputs"].values()
    yield from declared["outputs"].values()
