"""ISIC 2018, dermoscopy: photos with masks (tasks 1 and 2), and other photos with one of seven diagnoses (task 3).

Codella et al., Skin lesion analysis toward melanoma detection 2018, arXiv 1902.03368; task 3 is HAM10000, Tschandl et
al., Scientific Data 5 (2018). It has no patient ids, but tells which training photos of task 3 show one lesion.
"""

from __future__ import annotations

from pathlib import Path

from .isic import SUPERPIXELS, add_diagnoses, by_malignancy, one_hot, photo_cases, place, usable
from .shared import choose, leave_out, refuse_mismatch
from .tables import read_table, require_columns

__all__ = ["IGNORED", "LAYOUT", "OFFICIAL_TEST", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "ISIC2018_Task1-2_Training_Input/ or ISIC2018_Task3_Training_Input/ with its ground truth (ISIC 2018)"
UNKNOWN_PATIENTS = True
OFFICIAL_TEST = True
# Task 2 draws attributes of the photos of task 1.
IGNORED = (SUPERPIXELS, "*_attribute_*.png")
PARTS = {"test": "Test", "validation": "Validation", "training": "Training"}
"""The part that a photo of two parts stays in comes first."""
DIAGNOSES = {
    "MEL": "melanoma",
    "NV": "nevus",
    "BCC": "basal_cell_carcinoma",
    "AKIEC": "actinic_keratosis_or_bowen",
    "BKL": "benign_keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular_lesion",
}
MALIGNANT = ("melanoma", "basal_cell_carcinoma")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return any((folder / f"ISIC2018_Task{task}_Training_Input").is_dir() for task in ("1-2", "3"))


def read(folder: Path, *, malignancy: bool = False, akiec: str = "malignant") -> dict[str, list[dict]]:
    """Cases by the challenge's own split, of the tasks that are on disk; a part without ground truth is left out.

    Photos of task 1 have a mask, photos of task 3 a ``label_cls``, one of seven; a photo of both has both. Training
    photos of task 3 have a ``lesion_id`` where the table of lesions is on disk, and a split keeps a lesion together.

    Args:
        folder: Folder of the data set.
        malignancy: Whether ``label_cls`` is malignant (melanoma, basal cell carcinoma) or benign instead;
            ``diagnosis`` then says which of the seven.
        akiec: What actinic keratosis and Bowen's disease, one diagnosis here, then are: ``malignant`` or ``benign``.
            Bowen's disease is a carcinoma in situ, and melanomas in situ count as melanomas, so malignant is the
            default; an actinic keratosis alone is no cancer yet.

    Raises:
        ConfigError: If ``akiec`` is neither.
        DataError: If photos or ground truth are missing, or disagree.
    """
    choose("akiec", akiec, ("malignant", "benign"))
    found: dict[str, dict[str, dict]] = {}
    taken: set[str] = set()
    for section, part in PARTS.items():
        cases = _task1(folder, part)
        for name, case in _task3(folder, part).items():
            cases[name] = case | cases.get(name, {})  # the mask fits the photo of task 1
        twice = sorted(set(cases) & taken)
        leave_out(twice, len(cases), f"{section} photos that a later part holds too")
        found[section] = {name: case for name, case in cases.items() if name not in taken}
        taken |= set(cases)
    sections = {section: list(found[section].values()) for section in ("training", "validation", "test")}
    if malignancy:
        by_malignancy(sections, (*MALIGNANT, DIAGNOSES["AKIEC"]) if akiec == "malignant" else MALIGNANT)
    return sections


def _task1(folder: Path, part: str) -> dict[str, dict]:
    photos = place(folder, f"ISIC2018_Task1-2_{part}_Input")
    masks = place(folder, f"ISIC2018_Task1_{part}_GroundTruth")
    if not usable(photos, (masks,), needed=part == "Training"):
        return {}
    return photo_cases(folder, photos, masks, "_segmentation.png")


def _task3(folder: Path, part: str) -> dict[str, dict]:
    photos = place(folder, f"ISIC2018_Task3_{part}_Input")
    table = place(folder, f"ISIC2018_Task3_{part}_GroundTruth.csv")
    if not usable(photos, (table,), needed=part == "Training"):
        return {}
    diagnoses = [(name, DIAGNOSES[one]) for name, one in one_hot(table, "image", list(DIAGNOSES))]
    cases = add_diagnoses(photo_cases(folder, photos), diagnoses, table, photos)
    lesions = _lesions(place(folder, f"ISIC2018_Task3_{part}_LesionGroupings.csv"), [one["case_id"] for one in cases])
    return {one["case_id"]: one | lesions.get(one["case_id"], {}) for one in cases}


def _lesions(table: Path, names: list[str]) -> dict[str, dict[str, str]]:
    if not table.is_file():
        return {}
    rows = read_table(table)
    require_columns(rows, table, ("image", "lesion_id"))
    refuse_mismatch([row["image"] for row in rows], names, table, "the photos")
    return {row["image"]: {"lesion_id": row["lesion_id"]} for row in rows if row["lesion_id"]}
