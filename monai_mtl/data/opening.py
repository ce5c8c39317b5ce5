"""Which importer reads a folder."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ..errors import ConfigError, DataError, MissingError
from .importers import IMPORTERS

__all__ = ["open_dataset", "read_cases"]


def open_dataset(dataset_dir: PathLike) -> tuple[Any, Path]:
    """Importer of a data set, and the folder that it lies in.

    Args:
        dataset_dir: As the user named it.

    Raises:
        MissingError: If there is no such folder.
        DataError: If no layout is recognised.
    """
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise MissingError(f"no folder {folder}", fix="give an existing folder as --dataset_dir")
    importer, folder = _recognise(folder)
    if importer is None:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise DataError(
            f"no data set found in {folder}",
            [f"it holds: {inside}"],
            expected=" | ".join(importer.LAYOUT for importer in IMPORTERS),
            fix="point --dataset_dir at the folder that holds one of these",
        )
    return importer, folder


def _recognise(folder: Path) -> tuple[Any, Path]:
    """Importer and folder of the data set, which archives often nest once more."""
    inside = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    for place in (folder, *inside[: len(inside) == 1]):
        for importer in IMPORTERS:
            if importer.matches(place):
                return importer, place
    return None, folder


def read_cases(
    importer: Any, folder: Path, options: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> dict[str, list[dict]]:
    """Cases by section, as the importer gives them.

    Args:
        importer: From :func:`open_dataset`.
        folder: From there.
        options: Of the importer.
        defaults: Options that it gets besides, where it has them.

    Raises:
        ConfigError: If the importer has no such option.
    """
    known = list(inspect.signature(importer.read).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        expected = ", ".join(known) or "no options"
        raise ConfigError(f"this data set has no option {', '.join(unknown)}", expected=expected, fix="correct options")
    besides = {name: value for name, value in (defaults or {}).items() if name in known}
    return importer.read(folder, **(besides | dict(options)))
