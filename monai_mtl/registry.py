"""Which bundles exist, read from their ``metadata.json``; imports neither torch nor MONAI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError, MissingError

__all__ = ["Bundle", "find_bundles", "read_bundle"]


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
    def title(self) -> str:
        """What it is, in a line."""
        return str(self.metadata["name"])

    @property
    def modality(self) -> str:
        """Kind of image, such as ``MG``."""
        return str(next(iter(self.metadata["network_data_format"]["inputs"].values()))["modality"])

    @property
    def tasks(self) -> list[str]:
        """Task names in the order of the outputs; the mask, called ``pred`` there, is ``seg``."""
        outputs = self.metadata["network_data_format"]["outputs"]
        names = ["seg" if name == "pred" else name for name in outputs]
        return [name for name in names if not name.endswith("_map")]

    @property
    def licence(self) -> str:
        """What its LICENSE calls itself."""
        file = self.folder / "LICENSE"
        lines = file.read_text(encoding="utf-8").split("\n") if file.is_file() else []
        first, second, *_ = [*(line.strip() for line in lines if line.strip()), "", ""]
        version = second.split(",")[0] if second.startswith("Version") else ""
        return f"{first} {version}".strip() or "not stated"

    def classes(self, task: str) -> list[str]:
        """Class names of a task, index 0 first.

        Args:
            task: One of :attr:`tasks`.
        """
        output = self.metadata["network_data_format"]["outputs"]["pred" if task == "seg" else task]
        return [str(name) for name in output["channel_def"].values()]


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder.

    Args:
        folder: With ``configs/metadata.json``.

    Raises:
        MissingError: If there is no such file.
        ConfigError: If it holds no JSON.
    """
    file = folder / "configs" / "metadata.json"
    if not file.is_file():
        raise MissingError(f"{folder} is no bundle", [file], fix="give the folder of a bundle")
    try:
        return Bundle(folder.name, folder, json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{file} holds no JSON", [error], fix="correct it") from error


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
    return [read_bundle(folder) for folder in folders]
