"""ISBI / ISIC 2016, dermoscopy: training and test photos, with masks (part 1) and benign or malignant (part 3).

Gutman et al., Skin lesion analysis toward melanoma detection, arXiv 1605.01397. Both parts are of the same photos. It
has no patient ids.
"""

from __future__ import annotations

from pathlib import Path

from .isic import SUPERPIXELS, add_diagnoses, photo_cases, place, usable
from .shared import refuse_faults
from .tables import read_table

__all__ = ["IGNORED", "LAYOUT", "OFFICIAL_TEST", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "ISBI2016_ISIC_Part1_ or _Part3_Training_Data/ with its ground truth (ISIC 2016)"
UNKNOWN_PATIENTS = True
OFFICIAL_TEST = True
# Part 3 holds the photos of part 1 once more.
IGNORED = (SUPERPIXELS, "ISBI2016_ISIC_Part3_*_Data/*")
LABELS = {"benign": "benign", "malignant": "malignant", "0": "benign", "0.0": "benign"}
LABELS |= {"1": "malignant", "1.0": "malignant"}
"""The training table has words, the test table numbers."""


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return any((folder / f"ISBI2016_ISIC_Part{part}_Training_Data").is_dir() for part in (1, 3))


def read(folder: Path) -> dict[str, list[dict]]:
    """Cases by the challenge's own split, which has no validation cases; ``label_cls`` is benign or malignant.

    A photo has a mask where part 1, and a class where part 3 is on disk. A test part without ground truth is left out.

    Args:
        folder: Folder of the data set.

    Raises:
        DataError: If photos or ground truth are missing, or disagree.
    """
    return {"training": _part(folder, "Training"), "validation": [], "test": _part(folder, "Test")}


def _part(folder: Path, part: str) -> list[dict]:
    first, third = (place(folder, f"ISBI2016_ISIC_Part{number}_{part}_Data") for number in (1, 3))
    photos = third if third.is_dir() and not first.is_dir() else first
    masks = place(folder, f"ISBI2016_ISIC_Part1_{part}_GroundTruth")
    table = place(folder, f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv")
    if not usable(photos, (masks, table), needed=part == "Training"):
        return []
    cases = photo_cases(folder, photos, masks if masks.is_dir() else None, "_Segmentation.png")
    return add_diagnoses(cases, _classes(table), table, photos) if table.is_file() else list(cases.values())


def _classes(table: Path) -> list[tuple[str, str]]:
    rows = [(row["image_id"], row["label"].lower()) for row in read_table(table, ("image_id", "label"))]
    odd = [f"{name}: '{label}'" for name, label in rows if label not in LABELS]
    refuse_faults(f"unknown classes in {table.name}", odd, "benign or malignant, or 0.0 or 1.0", "correct the rows")
    return [(name, LABELS[label]) for name, label in rows]
