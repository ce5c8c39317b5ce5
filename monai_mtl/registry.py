"""Which bundles exist, read from their ``metadata.json``; imports neither torch nor MONAI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import MissingError

__all__ = ["Bundle", "find_bundles"]


@dataclass(frozen=True)
class Bundle:
    """One bundle of the collection.

    Args:
        name: Folder name.
        folder: Where it lies.
        metadata: Content of ``configs/metadata.json``.
    """

    name: str
    folder: Path
    metadata: dict[str, Any]

    @property
    def state(self) -> str:
        """``ported`` (matches reference outputs), ``trained`` or ``reproduced``."""
        return str(self.metadata["state"])

    @property
    def tasks(self) -> list[str]:
        """Task names in the order of the outputs; the mask, called ``pred`` there, is ``seg``."""
        outputs = self.metadata["network_data_format"]["outputs"]
        names = ["seg" if name == "pred" else name for name in outputs]
        return [name for name in names if not name.endswith("_map")]


def find_bundles(root: str | Path = ".") -> list[Bundle]:
    """All bundles below ``root/bundles``, by name.

    Args:
        root: Folder of the collection.

    Raises:
        MissingError: If there are none.
    """
    folders = sorted(path.parent.parent for path in Path(root).glob("bundles/*/configs/metadata.json"))
    if not folders:
        raise MissingError(f"no bundles below {Path(root).resolve()}", fix="run from the repository root")
    return [Bundle(f.name, f, json.loads((f / "configs" / "metadata.json").read_text())) for f in folders]
