"""What the ISIC challenges have in common: photos by id, masks in a folder of their own, a table of diagnoses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ...errors import DataError
from .shared import find, image_files, leave_out, refuse_faults, refuse_mismatch
from .tables import read_table, require_columns

__all__ = ["SUPERPIXELS", "add_diagnoses", "by_malignancy", "one_hot", "photo_cases", "place", "usable"]

SUPERPIXELS = "*_superpixels.png"
PHOTOS = (".jpg", ".jpeg")
"""Superpixels, beside the photos, are PNG."""
CELLS = {"0": False, "0.0": False, "1": True, "1.0": True}


def place(folder: Path, name: str) -> Path:
    """Folder or file of a name, which archives nest once more (X/X/, X/X.csv); where it should be if it is missing."""
    return find(folder / Path(name).stem, name) or find(folder, name) or folder / name


def usable(photos: Path, truths: Sequence[Path], needed: bool) -> bool:
    """Whether a part has photos and ground truth. False if it has no photos, or only photos and is not needed.

    Args:
        photos: Folder.
        truths: Folder of masks, table of diagnoses: one of them is enough.
        needed: Whether photos without ground truth are a fault; a test part was shipped so for years.

    Raises:
        DataError: If ground truth has no photos, or photos that are needed have no ground truth.
    """
    told = [path.name for path in truths if path.exists()]
    expected = " or ".join(path.name for path in truths)
    if not photos.is_dir():
        faults = [f"{name} is there" for name in told]
        refuse_faults(f"no photos {photos.name}/", faults, "photos and ground truth together", "complete the copy")
        return False
    if not told and needed:
        raise DataError(f"no ground truth for {photos.name}/", expected=expected, fix="put it beside the photos")
    names = list(image_files(photos, PHOTOS))
    if not told:
        leave_out(names, len(names), f"for {photos.name} came without {expected}")
    return bool(told)


def photo_cases(folder: Path, photos: Path, masks: Path | None = None, mask_ending: str = "") -> dict[str, dict]:
    """One case a photo, by its id; with the place where its mask should be if there is a folder of masks.

    Args:
        folder: Of the data set.
        photos: Folder of the photos.
        masks: Folder of the masks; None if nobody drew any.
        mask_ending: What follows the id in a mask's name.

    Raises:
        DataError: If there are no photos, or masks without a photo.
    """
    cases = {
        name: {"image": path.relative_to(folder).as_posix(), "case_id": name}
        for name, path in image_files(photos, PHOTOS).items()
    }
    if masks is not None:
        for name, case in cases.items():
            case["label_seg"] = (masks / f"{name}{mask_ending}").relative_to(folder).as_posix()
        drawn = sorted(path.name.removesuffix(mask_ending) for path in masks.glob(f"*{mask_ending}"))
        strangers = [f"{name}{mask_ending}" for name in drawn if name not in cases]
        refuse_faults(f"masks without a photo in {photos.name}/", strangers, "one photo a mask", "add the photos")
    return cases


def one_hot(table: Path, key: str, columns: Sequence[str], rest: str | None = None) -> list[tuple[str, str]]:
    """Id of each row, and the column that says 1.

    Args:
        table: CSV file.
        key: Column of the id.
        columns: Columns of 0 and 1, one for each diagnosis.
        rest: Diagnosis where no column says 1; if None, that is a fault.

    Raises:
        DataError: If the table or columns are missing, a cell is neither 0 nor 1, or a row gives no or two diagnoses.
    """
    rows = read_table(table)
    require_columns(rows, table, (key, *columns))
    odd = [f"{row[key]}, {one}: '{row[one]}'" for row in rows for one in columns if row[one] not in CELLS]
    refuse_faults(f"{table.name} holds more than 0.0 and 1.0", odd, "0.0 or 1.0", "correct the cells")
    found = [(row[key], [one for one in columns if CELLS[row[one]]]) for row in rows]
    both = [name for name, diagnoses in found if len(diagnoses) > 1]
    refuse_faults(f"{table.name} gives two diagnoses", both, "at most one 1.0 in a row", "correct the rows")
    none = [name for name, diagnoses in found if not diagnoses and rest is None]
    refuse_faults(f"{table.name} gives no diagnosis", none, "one 1.0 in a row", "correct the rows")
    return [(name, diagnoses[0] if diagnoses else str(rest)) for name, diagnoses in found]


def add_diagnoses(
    cases: Mapping[str, dict], diagnoses: Sequence[tuple[str, str]], table: Path, photos: Path
) -> list[dict]:
    """The cases in the order of their diagnoses, with ``label_cls``.

    Args:
        cases: By id.
        diagnoses: Id and diagnosis of each.
        table: Where they stand.
        photos: Folder of the photos.

    Raises:
        DataError: If a case has no diagnosis, a diagnosis no case, or an id stands twice.
    """
    refuse_mismatch([name for name, _ in diagnoses], cases, table, f"{photos.name}/")
    return [cases[name] | {"label_cls": diagnosis} for name, diagnosis in diagnoses]


def by_malignancy(sections: Mapping[str, Sequence[dict]], malignant: Collection[str]) -> None:
    """Make ``label_cls`` benign or malignant where it is known; ``diagnosis`` then says what it was.

    Args:
        sections: Cases, which are changed.
        malignant: Diagnoses that are.
    """
    for case in (case for cases in sections.values() for case in cases if "label_cls" in case):
        case["diagnosis"] = case["label_cls"]
        case["label_cls"] = "malignant" if case["diagnosis"] in malignant else "benign"
