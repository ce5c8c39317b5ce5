"""What several importers need: options, image files by stem, agreement of table and files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import ConfigError, DataError
from ..naming import some_of

__all__ = ["choose", "find", "image_files", "leave_out", "number"]
__all__ += ["refuse_faults", "refuse_mismatch", "refuse_twins", "training_only"]

logger = logging.getLogger("monai_mtl")

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def choose(option: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a value that an option does not have.

    Raises:
        ConfigError: If ``value`` is not one of ``allowed``.
    """
    if value not in allowed:
        raise ConfigError(f"unknown {option} '{value}'", expected=" | ".join(allowed), fix=f"choose another {option}")


def find(folder: Path, *patterns: str) -> Path | None:
    """The first file or folder of a name, in ``folder`` or one level below (archives often nest once more)."""
    found = (p for pattern in patterns for where in ("", "*/") for p in sorted(folder.glob(where + pattern)))
    return next(found, None)


def image_files(folder: Path, suffixes: Sequence[str] = IMAGES) -> dict[str, Path]:
    """Image files of a folder by stem, in order of their names.

    Raises:
        DataError: If there are none, or two have the same stem.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [p for p in files if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    if not files:
        raise DataError(f"no files in {folder}", expected=f"names ending in {' '.join(suffixes)}", fix="put them there")
    refuse_twins([p.stem.strip() for p in files], f"{folder.name}/")
    return {p.stem.strip(): p for p in files}


def refuse_twins(names: Iterable[str], where: str) -> None:
    """Refuse names that occur more than once.

    Raises:
        DataError: If there are any; it lists them all.
    """
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    refuse_faults(f"cases of {where} with the same name", twins, "a name of its own for each", "keep one of each")


def refuse_mismatch(rows: Sequence[str], files: Iterable[str], table: Path, where: str = "the images") -> None:
    """Refuse a table that does not name each image once.

    Raises:
        DataError: If a row has no image, an image no row, or two rows the same name.
    """
    refuse_twins(rows, table.name)
    faults = [f"no row: {name}" for name in sorted(set(files) - set(rows))]
    faults += [f"no image: {name}" for name in sorted(set(rows) - set(files))]
    refuse_faults(
        f"{table.name} and {where} disagree", faults, "one row for each image", "complete the copy of the data"
    )


def refuse_faults(what: str, faults: Sequence[str], expected: str, fix: str) -> None:
    """Refuse everything that was found wrong at once.

    Raises:
        DataError: If there are faults.
    """
    if faults:
        places = "1 place" if len(faults) == 1 else f"{len(faults)} places"
        raise DataError(f"{what}: {places}", faults, expected=expected, fix=fix)


def training_only(cases: list[dict]) -> dict[str, list[dict]]:
    """The sections of a set whose owners name no split."""
    return {"training": cases, "validation": [], "test": []}


def leave_out(names: Sequence[str], total: int, why: str) -> None:
    """Tell in one line how many cases are left out, and which if names are no secret."""
    if names:
        logger.warning("%d of %d left out, %s%s", len(names), total, why, some_of(names))


def number(text: str) -> int | str:
    """The cell as a whole number where it is one."""
    return int(text) if text.isdecimal() else text
