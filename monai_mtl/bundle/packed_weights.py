"""The weights of a packed bundle: a bare state dict for other programs, and a safetensors file made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingError

__all__ = ["check_weights", "pack_weights", "shipped_settings", "trained_settings"]

SHIPPED = {"inference.json": "shipped_inference.json", "train.json": "shipped.json"}
PLACES = {"_desc_", "checkpoint", "output_dir", "report_title"}
"""What a shipped overlay says of where things lie, not of the weights."""


def shipped_settings(bundle: Path) -> dict[str, dict[str, Any]]:
    """By config, the settings that the weights in a bundle's ``models/`` were trained with.

    Args:
        bundle: Folder of the bundle.
    """
    found: dict[str, dict[str, Any]] = {}
    if not (bundle / "models" / "model.safetensors").is_file():
        return found
    for name, overlay in SHIPPED.items():
        path = bundle / "configs" / overlay
        content = json.loads(path.read_text()) if path.is_file() else {}
        found[name] = {key: value for key, value in content.items() if key not in PLACES}
    train = json.loads((bundle / "configs" / "train.json").read_text())
    shared = {key: value for key, value in found["inference.json"].items() if key in train}
    found["train.json"] = {**shared, **found["train.json"]}
    return found


def trained_settings(bundle: Path, weights: Path) -> dict[str, dict[str, Any]]:
    """By config, what weights say that a config would look up, such as the classes that a data set declares.

    Args:
        bundle: Folder of the bundle.
        weights: File to bring.
    """
    from .weights import read_weights

    stored = read_weights(weights)[1]
    found: dict[str, dict[str, Any]] = {}
    for name in SHIPPED:
        config = json.loads((bundle / "configs" / name).read_text())
        found[name] = {key: value for key, value in stored.items() if isinstance(config.get(key), dict)}
    return found


def check_weights(bundle: Path, weights: Path) -> None:
    """Refuse weights that were trained with other settings than the bundle's inference.json has.

    Args:
        bundle: Folder of the bundle.
        weights: File to bring.

    Raises:
        MissingError: If there is no such file.
        ConfigError: If it holds no weights, or those of other settings.
    """
    from .weights import read_weights

    if not weights.is_file():
        raise MissingError(f"no weights at {weights}", fix="train first, or name another file")
    inference = json.loads((bundle / "configs" / "inference.json").read_text())
    stored = read_weights(weights)[1]
    named = [name for name in stored if isinstance(inference.get(name), list)]
    differ = [name for name in named if inference[name] != stored[name]]
    if differ:
        raise ConfigError(
            f"{weights} was trained with other settings than inference.json has",
            [f"{name}: {stored[name]}, inference.json {inference[name]}" for name in differ],
            fix="write them into inference.json and train.json of a copy of the bundle, and pack that",
        )


def pack_weights(bundle: Path, target: Path, weights: Path | None) -> list[str]:
    """Write ``models/model.pt`` and ``models/model.safetensors`` of a packed bundle.

    Args:
        bundle: Folder of the bundle.
        target: Of the packed bundle.
        weights: File to take; else the bundle's safetensors file, which is the one worth sharing.

    Returns:
        What a user should know.

    Raises:
        ConfigError: If the file holds no weights.
    """
    import torch

    from .weights import read_weights, ship_weights

    source = weights or bundle / "models" / "model.safetensors"
    if not source.is_file():
        return ["no weights in the bundle: train it, and pack with --weights"]
    state, settings = read_weights(source)
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    place = target / "models" / "model.pt"
    place.parent.mkdir(parents=True, exist_ok=True)
    # MONAI's ckpt_export takes a bare state dict unless it is told a key.
    torch.save(state, place)
    ship_weights(place, place.with_suffix(".safetensors"), {"settings": settings, "packed_from": source.name})
    return []
