"""The flattened shape of a data set: ``images/``, ``masks/`` and a table ``labels.csv`` with paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .shared import image_files, refuse_mismatch
from .tables import read_table, require_columns

__all__ = ["flat_rows"]


def flat_rows(folder: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of ``labels.csv``, whose column ``image`` names the files of ``images/``.

    Raises:
        DataError: If columns are missing, or rows and images disagree.
    """
    table = folder / "labels.csv"
    rows = read_table(table)
    require_columns(rows, table, columns)
    refuse_mismatch([Path(row["image"]).stem for row in rows], image_files(folder / "images"), table)
    return rows
