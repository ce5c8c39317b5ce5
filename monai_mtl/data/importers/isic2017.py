"""ISIC 2017, dermoscopy: three parts, each with masks (part 1) and diagnoses (part 3); and a flattened piece of it.

Codella et al., Skin lesion analysis toward melanoma detection, arXiv 1710.05006. It has no patient ids.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from .flat import flat_rows
from .shared import choose, find, image_files, leave_out, number, refuse_faults, refuse_mismatch, training_only
from .tables import has_columns, read_table, require_columns

__all__ = ["IGNORED", "LAYOUT", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "ISIC-2017_Training_Data/ with its ground truth, or labels.csv with isic_id and diagnosis (ISIC 2017)"
UNKNOWN_PATIENTS = True
IGNORED = ("*_superpixels.png",)
PARTS = {"training": ("Training",), "validation": ("Validation",), "test": ("Test_v2", "Test")}
FLAT = ("image", "mask", "isic_id", "diagnosis")
DIAGNOSES = ("melanoma", "seborrheic_keratosis")
SECTION_OF_FOLD = ("test", "training", "training", "validation", "left out")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "ISIC-2017_Training_Data").is_dir() or has_columns(folder / "labels.csv", FLAT)


def read(folder: Path, *, malignancy: bool = False, split: str = "challenge") -> dict[str, list[dict]]:
    """Cases by the challenge's own split; a part that is not on disk is empty. All in training where flattened.

    ``label_cls`` is melanoma, seborrheic_keratosis or, where the table says neither, nevus.

    Args:
        folder: Folder of the data set.
        malignancy: Whether it is malignant (melanoma) or benign (both others) instead; ``diagnosis`` then says which.
        split: ``"challenge"``, or ``"folds"``, which deals all photos into five folds by the SHA-1 of their name: 1 and
            2 train, 3 validates, 0 tests, 4 is left out.

    Raises:
        DataError: If tables, columns or images are missing, or disagree.
    """
    choose("split", split, ("challenge", "folds"))
    sections = _read(folder) if split == "challenge" else _by_fold(_read(folder))
    for case in (case for cases in sections.values() for case in cases if malignancy):
        case["diagnosis"] = case["label_cls"]
        case["label_cls"] = "malignant" if case["diagnosis"] == "melanoma" else "benign"
    return sections


def _read(folder: Path) -> dict[str, list[dict]]:
    if not has_columns(folder / "labels.csv", FLAT):
        return {section: _part(folder, names) for section, names in PARTS.items()}
    cases = []
    for row in flat_rows(folder, FLAT):
        case: dict = {"image": row["image"], "case_id": row["isic_id"], "label_cls": row["diagnosis"]}
        cases.append(case | {"label_seg": row["mask"]} | ({"fold": number(row["fold"])} if row.get("fold") else {}))
    return training_only(cases)


def _by_fold(sections: dict[str, list[dict]]) -> dict[str, list[dict]]:
    dealt: dict[str, list[dict]] = {name: [] for name in SECTION_OF_FOLD}
    cases = [case for section in sections.values() for case in section]
    for case in cases:
        fold = int(hashlib.sha1(case["case_id"].encode()).hexdigest(), 16) % len(SECTION_OF_FOLD)
        dealt[SECTION_OF_FOLD[fold]].append(case)
    leave_out([case["case_id"] for case in dealt.pop("left out")], len(cases), "fold 4")
    return dealt


def _part(folder: Path, names: tuple[str, ...]) -> list[dict]:
    name = next((f"ISIC-2017_{name}" for name in names if (folder / f"ISIC-2017_{name}_Data").is_dir()), None)
    if name is None:
        return []
    # Archives nest the folder once more: X/X/.
    places = [find(folder / f"{name}_{what}", f"{name}_{what}") for what in ("Data", "Part1_GroundTruth")]
    images, masks = (p or folder / f"{name}_{w}" for p, w in zip(places, ("Data", "Part1_GroundTruth"), strict=True))
    table = find(folder, f"{name}_Part3_GroundTruth.csv") or folder / f"{name}_Part3_GroundTruth.csv"
    rows = read_table(table)
    require_columns(rows, table, ("image_id", *DIAGNOSES))
    files = image_files(images, (".jpg", ".jpeg"))  # superpixels are PNG
    refuse_mismatch([row["image_id"] for row in rows], files, table, f"{name}_Data/")
    found = {row["image_id"]: [d for d in DIAGNOSES if row[d] in ("1", "1.0")] for row in rows}
    both = [name for name, diagnoses in found.items() if len(diagnoses) > 1]
    refuse_faults(f"{table.name} gives two diagnoses", both, "at most one 1.0 in a row", "correct the rows")
    place = masks.relative_to(folder).as_posix()
    return [
        {
            "image": files[name].relative_to(folder).as_posix(),
            "case_id": name,
            "label_cls": (diagnoses or ["nevus"])[0],
            "label_seg": f"{place}/{name}_segmentation.png",
        }
        for name, diagnoses in found.items()
    ]
