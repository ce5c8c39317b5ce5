"""What bundles there are and what each is, read from their words alone: neither torch nor MONAI is imported."""

from __future__ import annotations

import json as json_format
import sys
from typing import Any

from ..bundle.running import short_path
from ..cli_settings import bundle_folder
from ..registry import Bundle, find_bundles, read_bundle

__all__ = ["info", "list_bundles"]

NOT_MEASURED = "not measured"
IN_THE_CARD = "not in metadata.json, see the card"
"""Of a bundle that was trained, so that figures may be known."""
NEEDS = ("training", "inference")
"""Under ``resources`` of metadata.json, each with ``memory`` and ``time`` in words."""


def list_bundles(json: bool = False) -> int:
    """Name the bundles, with what they answer about which images.

    Args:
        json: Print JSON.

    Returns:
        Exit code.
    """
    rows: list[dict[str, Any]] = [
        {"name": one.name, "state": one.state, "tasks": one.tasks, "image": one.modality, "title": one.title}
        for one in find_bundles()
    ]
    if json:
        sys.stdout.write(json_format.dumps(rows, indent=4) + "\n")
        return 0
    cells = [["bundle", "state", "tasks", "image", ""]]
    cells += [[one["name"], one["state"], ", ".join(one["tasks"]), one["image"], one["title"]] for one in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    for row in cells:
        text = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        sys.stdout.write(f"{text}  {row[4]}".rstrip() + "\n")
    sys.stdout.write("\nmore of one: monai-mtl info BUNDLE; to see one work: monai-mtl demo BUNDLE\n")
    return 0


def info(bundle: str, json: bool = False) -> int:
    """Tell what a bundle is: tasks, data, licence, state, figures, memory and time.

    Args:
        bundle: Name or folder of a bundle.
        json: Print JSON.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle.
    """
    found = _facts(read_bundle(bundle_folder(bundle)))
    if json:
        sys.stdout.write(json_format.dumps(found, indent=4) + "\n")
        return 0
    for name, value in found.items():
        entries = value.items() if isinstance(value, dict) else [("", value)]
        for i, (key, text) in enumerate(entries):
            words = ", ".join(text) if isinstance(text, list) else str(text)
            sys.stdout.write(f"{name if i == 0 else '':<13}{f'{key}: ' if key else ''}{words}\n")
    return 0


def _facts(bundle: Bundle) -> dict[str, Any]:
    content, license_file = bundle.metadata, bundle.folder / "docs" / "data_license.txt"
    terms = license_file.read_text(encoding="utf-8").split("\n\n")[0] if license_file.is_file() else "not stated"
    needs, results = content.get("resources", {}), bundle.folder / "docs" / "results.json"
    scored = json_format.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    unknown = NOT_MEASURED if bundle.state == "ported" else IN_THE_CARD
    return {
        "bundle": f"{bundle.name} {content['version']}",
        "title": bundle.title,
        "state": bundle.state,
        "tasks": {name: bundle.classes(name) for name in bundle.tasks},
        "image": content.get("image_classes", bundle.modality),
        "data": content.get("data_source", "not stated"),
        "licence": {"code and configs": bundle.licence, "data": " ".join(terms.split())},
        "figures": {name: unknown if v is None else v for name, v in content.get("eval_metrics", {}).items()},
        "scored": "{title}, {cases} images of {patients} patients".format(**scored) if scored else "see the card",
        "memory": {kind: needs.get(kind, {}).get("memory", NOT_MEASURED) for kind in NEEDS},
        "time": {kind: needs.get(kind, {}).get("time", NOT_MEASURED) for kind in NEEDS},
        "use": content.get("intended_use", "not stated"),
        "reference": content.get("references", []),
        "card": short_path(bundle.folder / "docs" / "README.md"),
    }
