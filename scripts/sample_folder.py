"""What the scripts that make sample data share: an empty folder, then its datalist and its provenance."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from format_json import render

__all__ = ["begin", "finish"]


def begin(folder: Path) -> None:
    """Replace a folder by one with empty images/ and masks/."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)


def finish(folder: Path, facts: Mapping[str, Any], sections: Mapping[str, Sequence[dict]], provenance: str) -> None:
    """Write ``dataset.json`` and ``PROVENANCE.md``.

    Args:
        folder: As begun.
        facts: Name, licence, reference and classes of the set.
        sections: Cases of each section.
        provenance: Where the images come from, what was changed, what they are not good for.
    """
    (folder / "dataset.json").write_text(render({**facts, **sections}) + "\n")
    (folder / "PROVENANCE.md").write_text(provenance)
