"""CDD-CESM: mammograms at low energy (DM) and contrast-enhanced, subtracted ones (CM), as JPEG with outlines.

Khaled et al., Categorized contrast enhanced mammography dataset, Scientific Data 9 (2022). Two layouts: that of The
Cancer Imaging Archive, and a flattened one with ``images/``, ``masks/`` and ``labels.csv``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .flat import flat_rows
from .shared import choose, find, image_files, leave_out, number, refuse_faults, refuse_mismatch, training_only
from .tables import has_columns, read_table, require_columns
from .via import read_regions

__all__ = ["IGNORED", "LAYOUT", "matches", "read"]

LAYOUT = "'Low energy images of CDD-CESM/' with its tables, or labels.csv with has_mass and modality (CDD-CESM)"
IGNORED = ("*_DM_*", "*_CM_*")
"""Images of the modality that is not chosen; that table and images agree is checked here."""
FOLDERS = {"DM": "Low energy images of CDD-CESM", "CM": "Subtracted images of CDD-CESM"}
FLAT = ("image", "mask", "patient", "side", "view", "modality", "birads", "density_acr", "label", "has_mass")
RENAMED = {"Patient_ID": "patient", "Side": "side", "View": "view", "Type": "modality", "Age": "age"}
RENAMED |= {"BIRADS": "birads", "Breast density (ACR)": "density_acr", "Pathology Classification/ Follow up": "label"}
FOLDS = 5
SECTION_OF_FOLD = ("training", "training", "validation", "test", "left out")
# Not "non mass enhancement", nor "No mass or non mass enhancement", which is what most normal images say.
MASS = re.compile(r"(?<!\bno )(?<!\bnon[ -])\bmass(es)?\b", re.IGNORECASE)


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return find(folder, *FOLDERS.values()) is not None or has_columns(folder / "labels.csv", FLAT)


def read(
    folder: Path, *, modality: str = "DM", label: str = "has_mass", split: str = "patient", lesions: str = "one"
) -> dict[str, list[dict]]:
    """Cases, all in training unless ``split`` says otherwise.

    Args:
        folder: The data set.
        modality: ``"DM"``, ``"CM"`` or ``"both"``.
        label: ``"has_mass"``: ``label_cls`` is 1 where the column Findings of the image speaks of a mass (the
            flattened table has a column of its own), and an outline counts only there: others show
            calcifications, distortions and the like. ``"pathology"``: normal, benign or malignant, and all
            outlines count. ``"malignant"``: the same outlines, and 1 where the image is malignant.
        split: ``"patient"`` leaves all cases in training; ``"folds"`` deals the patients into five folds by the
            SHA-1 of their name (``P105``): 0 and 1 train, 2 validates, 3 tests, 4 is left out.
        lesions: Whether the mask has ``"one"`` class of lesions, or two by ``"pathology"``: 2 in a malignant image, 1
            in another; findings of one image are not told apart.

    Raises:
        DataError: If tables, columns or images are missing, or disagree.
    """
    choose("modality", modality, ("DM", "CM", "both"))
    choose("label", label, ("has_mass", "pathology", "malignant"))
    choose("lesions", lesions, ("one", "pathology"))
    choose("split", split, ("patient", "folds"))
    wanted = ("DM", "CM") if modality == "both" else (modality,)
    flat = has_columns(folder / "labels.csv", FLAT)
    cases = []
    for row, drawn in _flat(folder) if flat else _archive(folder, wanted):
        case = _fields(row)
        if case["modality"] not in wanted:
            continue
        grade = row["label"].lower()
        case["label_cls"] = number(row["has_mass"]) if label == "has_mass" else grade
        if case["label_cls"] == 0 or (case["label_cls"] == "normal" and drawn is None):
            drawn = []
        if label == "malignant":
            case["label_cls"] = int(grade == "malignant")
        if drawn and lesions == "pathology":
            case["class_seg"] = 2 if grade == "malignant" else 1
        cases.append(case if drawn is None else case | {"label_seg": drawn})
    return training_only(cases) if split == "patient" else _by_fold(cases)


def _by_fold(cases: list[dict]) -> dict[str, list[dict]]:
    sections: dict[str, list[dict]] = {"training": [], "validation": [], "test": [], "left out": []}
    for case in cases:
        fold = int(hashlib.sha1(case["patient_id"].encode()).hexdigest(), 16) % FOLDS
        sections[SECTION_OF_FOLD[fold]].append(case)
    left = [case["case_id"] for case in sections.pop("left out")]
    leave_out(left, len(cases), "fold 4")
    return sections


def _fields(row: dict[str, str]) -> dict:
    """What both tables say, in our words."""
    name = Path(row["image"]).stem.strip()
    case: dict = {"image": row["image"], "case_id": name, "patient_id": "P" + row["patient"].removeprefix("P")}
    case |= {"laterality": row["side"], "view": row["view"], "modality": row["modality"].replace("CESM", "CM")}
    optional = {"density": row["density_acr"].strip("_"), "age": row.get("age"), "fold": row.get("fold")}
    optional["birads"] = max(row["birads"].split("$"))  # one value a finding
    return case | {key: number(text) for key, text in optional.items() if text}


def _flat(folder: Path) -> list[tuple[dict[str, str], Any]]:
    return [(row, row["mask"] or None) for row in flat_rows(folder, FLAT)]


def _archive(folder: Path, wanted: Sequence[str]) -> Iterator[tuple[dict[str, str], Any]]:
    """Rows with the columns of the flattened table; outlines are None where nobody drew."""
    name = "Radiology[-_ ]manual[-_ ]annotations"
    table = find(folder, f"{name}.csv", f"{name}.xlsx") or folder / "Radiology-manual-annotations.xlsx"
    rows = read_table(table)
    require_columns(rows, table, ("Image_name", "Findings", *(column for column in RENAMED if column != "Age")))
    rows = [{RENAMED.get(column, column): cell for column, cell in row.items()} for row in rows]
    drawings = find(folder, "Radiology[-_ ]hand[-_ ]drawn[-_ ]segmentations*.csv")
    regions = read_regions(drawings or folder / "Radiology_hand_drawn_segmentations_v2.csv")
    strangers = sorted(set(regions) - {row["Image_name"] for row in rows})
    refuse_faults("outlines of images that the table lacks", strangers, "names of Image_name", "correct the names")
    files: dict[str, Path] = {}
    for modality in wanted:
        files |= image_files(find(folder, FOLDERS[modality]) or folder / FOLDERS[modality])
    rows = [row for row in rows if row["modality"].replace("CESM", "CM") in wanted]
    refuse_mismatch([row["Image_name"] for row in rows], files, table)
    for row in rows:
        name, polygons = row["Image_name"], regions.get(row["Image_name"])
        row |= {
            "image": files[name].relative_to(folder).as_posix(),
            "has_mass": str(int(bool(MASS.search(row["Findings"])))),
        }
        yield row, polygons and {"polygons": polygons}
