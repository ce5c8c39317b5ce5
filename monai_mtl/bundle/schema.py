"""Our own rules for a ``metadata.json``: those of MONAI's schema of 2024-07-25, and more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["metadata_faults"]

REQUIRED = {
    **dict.fromkeys(("schema", "version", "monai_version", "pytorch_version", "numpy_version"), str),
    **dict.fromkeys(("task", "description", "authors", "copyright", "name"), str),
    **dict.fromkeys(("changelog", "required_packages_version", "eval_metrics", "network_data_format"), dict),
}
TYPED = {
    **dict.fromkeys(
        ("data_source", "data_type", "image_classes", "label_classes", "pred_classes", "intended_use"), str
    ),
    "supported_apps": dict,
    "references": list,
}
TENSOR = {
    **dict.fromkeys(("type", "format", "dtype"), str),
    "num_channels": int,
    "spatial_shape": list,
    "value_range": list,
    "channel_def": dict,
}
PIN = re.compile(r"\d+(\.\w+)*")
ADDRESS = "meta_schema_20240725.json"
LOGITS = {"segmentation": "mask", "classes": "class"}
"""What an output tells, by its format."""


def metadata_faults(metadata: Mapping[str, Any]) -> list[str]:
    """What is wrong with the content of a ``metadata.json``.

    Args:
        metadata: Content.
    """
    found = [f"{key} is missing" for key in REQUIRED if key not in metadata]
    found += [
        f"{key} is {type(metadata[key]).__name__}, not {kind.__name__}"
        for key, kind in {**REQUIRED, **TYPED}.items()
        if key in metadata and not isinstance(metadata[key], kind)
    ]
    if found:
        return found
    if not metadata["schema"].endswith(ADDRESS):
        found.append(f"schema is not {ADDRESS}")
    if metadata["version"] not in metadata["changelog"]:
        found.append(f"version {metadata['version']} is not in the changelog")
    pins = {name: metadata[name] for name in ("monai_version", "pytorch_version", "numpy_version")}
    for name, version in {**pins, **metadata["required_packages_version"]}.items():
        if not isinstance(version, str) or not PIN.fullmatch(version):
            found.append(f"{name} {version} is no exact version")
    return found + list(_tensor_faults(metadata["network_data_format"]))


def _tensor_faults(declared: Mapping[str, Any]) -> Iterator[str]:
    for side in ("inputs", "outputs"):
        tensors = declared.get(side)
        if not isinstance(tensors, dict) or not tensors:
            yield f"network_data_format has no {side}"
            continue
        for name, tensor in tensors.items():
            entries = tensor if isinstance(tensor, dict) else {}
            wrong = [key for key, kind in TENSOR.items() if not isinstance(entries.get(key), kind)]
            if wrong:
                yield f"{side} {name}: {', '.join(wrong)} missing or of another type"
            elif set(tensor["channel_def"]) != {str(i) for i in range(_names(tensor))}:
                yield f"{side} {name}: channel_def does not name {_names(tensor)} {_named(tensor)}"
    if isinstance(declared.get("outputs"), dict) and next(iter(declared["outputs"]), "pred") != "pred":
        yield "pred is not the first output, which MONAI Label takes as the mask"


def _names(tensor: Mapping[str, Any]) -> int:
    """How many names a tensor needs: MONAI Label takes those of a mask as names of its values; a logit has two."""
    return 2 if _one_logit(tensor) else int(tensor["num_channels"])


def _named(tensor: Mapping[str, Any]) -> str:
    return f"values of its {LOGITS[tensor['format']]}" if _one_logit(tensor) else "channels"


def _one_logit(tensor: Mapping[str, Any]) -> bool:
    return tensor["format"] in LOGITS and tensor["num_channels"] == 1
