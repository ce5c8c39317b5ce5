"""JSON beside every result, for programs."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monai.config import PathLike

from .. import __version__

__all__ = ["NOTICE", "finite", "provenance", "software_versions", "write_json"]

NOTICE = "Research use, not a medical device."


def software_versions() -> dict[str, str]:
    """Versions of what computes a result."""
    return {"monai_mtl": __version__, **{name: version(name) for name in ("monai", "torch")}}


def provenance(bundle: str, bundle_version: str, weights: PathLike) -> dict[str, Any]:
    """What made a result: bundle, digest of its weights, software.

    Args:
        bundle: Name of the bundle.
        bundle_version: Its version.
        weights: Weights file.
    """
    return {
        "bundle": bundle,
        "bundle_version": bundle_version,
        "weights_sha256": hashlib.sha256(Path(weights).read_bytes()).hexdigest(),
        "software": software_versions(),
        "notice": NOTICE,
    }


def write_json(path: PathLike, content: Any) -> None:
    """Write whole or not at all; nan becomes null, since JSON has no nan."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(finite(content), indent=4, allow_nan=False) + "\n")
    os.replace(temporary, path)


def finite(value: Any) -> Any:
    """The same with ``None`` for nan.

    Args:
        value: Numbers, texts and containers of them.
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and value != value else value
