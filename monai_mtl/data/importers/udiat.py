"""UDIAT dataset B, breast ultrasound images.

Yap et al., Automated breast ultrasound lesions detection using convolutional neural networks, IEEE Journal of
Biomedical and Health Informatics 22 (2018). It has no patient ids.
"""

from __future__ import annotations

from pathlib import Path

from .shared import find, image_files, refuse_mismatch, training_only
from .tables import read_table, require_columns

__all__ = ["LAYOUT", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "original/, GT/ and DatasetB.xlsx (UDIAT dataset B)"
UNKNOWN_PATIENTS = True


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "original").is_dir() and (folder / "GT").is_dir()


def read(folder: Path) -> dict[str, list[dict]]:
    """Cases, all in training; ``label_cls`` is the table's type, in small letters.

    Raises:
        DataError: If table, columns or images are missing, or disagree.
    """
    table = find(folder, "DatasetB.xlsx", "DatasetB.xls", "DatasetB.csv") or folder / "DatasetB.xlsx"
    rows = [{column.lower(): cell for column, cell in row.items()} for row in read_table(table)]
    require_columns(rows, table, ("image", "type"))
    images = image_files(folder / "original")
    types = [(Path(row["image"]).stem.zfill(6), row["type"].lower()) for row in rows]  # 1 is 000001.png
    refuse_mismatch([stem for stem, _ in types], images, table, "original/")
    names = {stem: images[stem].name for stem, _ in types}
    return training_only(
        [
            {"image": f"original/{names[stem]}", "case_id": stem, "label_cls": kind, "label_seg": f"GT/{names[stem]}"}
            for stem, kind in types
        ]
    )
