"""A folder with ``images/``, ``masks/`` (same file stems) and ``labels.csv``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...errors import DataError
from ..formats.content import IMAGE_SUFFIXES, without_suffix
from .tables import read_table, require_columns

__all__ = ["LAYOUT", "matches", "read"]

LAYOUT = "images/, masks/ and labels.csv (columns image, patient_id; optional label_cls, split)"
SPLITS = ("training", "validation", "test")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "images").is_dir()


def read(folder: Path) -> dict[str, list[dict]]:
    """Cases by section; all under ``training`` where labels.csv has no column ``split``.

    A mask belongs to the image of the same stem. A row whose ``label_seg`` cell exists and is empty
    declares that the image has no mask; any other image without one gets the path where it should be.

    Raises:
        DataError: If images or rows are missing.
    """
    files = [p for p in sorted((folder / "images").iterdir()) if p.name.lower().endswith(IMAGE_SUFFIXES)]
    if not files:
        raise DataError(f"no images in {folder / 'images'}", fix="put the images there")
    _refuse_twins([_stem(p) for p in files], "images/")
    images = {_stem(p): p for p in files}
    rows = _rows(folder / "labels.csv")
    without_row = sorted(set(images) - set(rows))
    without_image = sorted(set(rows) - set(images))
    if without_row or without_image:
        raise DataError(
            f"labels.csv and images/ disagree about {len(without_row) + len(without_image)} cases",
            [f"no row: {images[stem].name}" for stem in without_row] + [f"no image: {stem}" for stem in without_image],
            fix="give each image one row",
        )
    drawn = sorted((folder / "masks").iterdir()) if (folder / "masks").is_dir() else []
    masks = {_stem(p): p for p in drawn if p.name.lower().endswith(IMAGE_SUFFIXES)}
    sections: dict[str, list[dict]] = {name: [] for name in SPLITS}
    for stem, row in rows.items():
        case = {k: v for k, v in row.items() if v != "" and k not in ("split", "label_seg", "image")}
        case["image"] = f"images/{images[stem].name}"
        if stem in masks or row.get("label_seg") != "":
            case["label_seg"] = f"masks/{masks[stem].name if stem in masks else f'{stem}.png'}"
        split = row.get("split") or "training"
        if split not in SPLITS:
            raise DataError(f"unknown split '{split}' of {stem}", expected=" | ".join(SPLITS), fix="correct labels.csv")
        sections[split].append(case)
    return sections


def _rows(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        raise DataError(
            f"no {path}",
            expected="a table with the columns image and patient_id: patients are never split over training and test",
            fix="write it, for example: image,patient_id,label_cls",
        )
    rows = read_table(path)
    require_columns(rows, path, ("image", "patient_id"))
    _refuse_twins([_stem(Path(row["image"])) for row in rows], "labels.csv")
    return {_stem(Path(row["image"])): row for row in rows}


def _stem(path: Path) -> str:
    return without_suffix(path).name.strip()


def _refuse_twins(stems: list[str], where: str) -> None:
    twins = sorted(stem for stem, count in Counter(stems).items() if count > 1)
    if twins:
        raise DataError(
            f"{len(twins)} cases of {where} have the same name", twins, fix="give each image a name of its own"
        )
