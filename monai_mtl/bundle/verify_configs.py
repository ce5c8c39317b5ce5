"""What the configs and the metadata of a bundle must agree on, read and not run."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

__all__ = ["equality_faults", "metric_faults"]


def equality_faults(train: Mapping[str, Any], inference: Mapping[str, Any]) -> list[str]:
    """Differences of the network and of the image's way to it.

    Args:
        train: Content of train.json.
        inference: Content of inference.json.
    """
    found = []
    networks = train["network_def"], inference["network_def"]
    names = {name for network in networks for name in network if networks[0].get(name) != networks[1].get(name)}
    if names:
        found.append(f"network_def differs in {', '.join(sorted(names))}")
    shared = [key for key in ("image_size", "seg_classes", "cls_classes") if key in train and key in inference]
    found += [
        f"{key} is {train[key]} in train.json, {inference[key]} in inference.json"
        for key in shared
        if train[key] != inference[key]
    ]
    steps = [step for name in ("load_transforms", "deterministic_transforms") for step in train["train"][name]]
    ours = [_for_image(step) for step in steps if "image" in step.get("keys", "")]
    theirs = inference["preprocessing"]["transforms"]
    if ours != theirs:
        differs = [str(i) for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
        places = f"step {', '.join(differs)}" if differs else f"{len(ours)} and {len(theirs)} steps"
        found.append(f"the image's transforms differ: {places}")
    return found


def _for_image(step: Mapping[str, Any]) -> dict[str, Any]:
    """A transform of image and mask, as it acts on the image alone."""
    alone = copy.deepcopy(dict(step))
    if isinstance(alone["keys"], list):
        at = alone["keys"].index("image")
        alone["keys"] = "image"
        for name in ("mode", "anti_aliasing"):
            if isinstance(alone.get(name), list):
                alone[name] = alone[name][at]
    return alone


def metric_faults(train: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """Metrics of which one file knows and the other does not, and tasks without one.

    Args:
        train: Content of train.json.
        metadata: Content of metadata.json.
    """
    named = {*train["validate"]["key_metric"], *train["validate"].get("additional_metrics", {})}
    declared = set(metadata["eval_metrics"])
    found = [f"{name} is not in eval_metrics of metadata.json" for name in sorted(named - declared)]
    found += [f"{name} is in eval_metrics and not computed" for name in sorted(declared - named)]
    tasks = ["seg" if name == "pred" else name for name in metadata["network_data_format"]["outputs"]]
    return found + [
        f"no metric of task {task}: val_{task}_..."
        for task in tasks
        if not task.endswith("_map") and not any(name.startswith(f"val_{task}_") for name in named)
    ]
