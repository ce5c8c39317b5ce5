"""CBIS-DDSM, as The Cancer Imaging Archive ships it: four tables and one folder a series.

Lee et al., A curated mammography data set for use in computer-aided detection and diagnosis research, Scientific
Data 4 (2017). Mask and crop of a finding are told apart by what the files hold: the tables mix them up.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from ...errors import ConfigError
from .dicom_masks import find_mask, read_size, same_shape
from .nbia import read_places, series_files
from .shared import choose, leave_out, number
from .tables import read_table, require_columns

__all__ = ["IGNORED", "LAYOUT", "OFFICIAL_TEST", "matches", "read"]

LAYOUT = "mass_ or calc_case_description_train_set.csv and _test_set.csv (CBIS-DDSM)"
OFFICIAL_TEST = True
IGNORED = ("*.dcm",)
"""Each finding comes with a crop, and the lists that are not chosen are on disk as well."""
MALIGNANT = "MALIGNANT"
"""The other two values, BENIGN and BENIGN_WITHOUT_CALLBACK, are benign."""
COLUMNS: tuple[str, ...] = ("patient id", "left or right breast", "image view", "breast density", "assessment")
COLUMNS += ("pathology", "image file path", "cropped image file path", "ROI mask file path")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return any((folder / f"{kind}_case_description_train_set.csv").is_file() for kind in ("mass", "calc"))


def read(
    folder: Path, *, abnormality: str = "mass", label: str = "pathology", lesions: str = "one"
) -> dict[str, list[dict]]:
    """Training and test cases, one a mammogram; its mask is the union of its findings.

    A mask of another size than its image is brought to the image's grid where both have the same aspect ratio; else
    the case is left out.

    Args:
        folder: The data set, with the metadata.csv of the archive's tool if that made the folders.
        abnormality: Which tables: ``"mass"``, ``"calc"`` or ``"both"``. Some patients are training patients of one
            table and test patients of the other: with both, their training cases are left out.
        label: ``label_cls`` 1 means malignant (``"pathology"``), or a mass (``"has_mass"``; needs both tables,
            and the mask is that of the masses).
        lesions: Whether the mask has ``"one"`` class of lesions, or two by ``"pathology"``: 1 benign, 2 malignant.

    Raises:
        ConfigError: If the options do not fit.
        DataError: If tables or columns are missing.
    """
    choose("abnormality", abnormality, ("mass", "calc", "both"))
    choose("label", label, ("pathology", "has_mass"))
    choose("lesions", lesions, ("one", "pathology"))
    if label == "has_mass" and abnormality != "both":
        raise ConfigError(f"with abnormality='{abnormality}' has_mass is the same for all", fix="abnormality='both'")
    kinds = ("mass", "calc") if abnormality == "both" else (abnormality,)
    test = [row for kind in kinds for row in _rows(folder, kind, "test")]
    training = [row for kind in kinds for row in _rows(folder, kind, "train")]
    patients = {row["patient id"] for row in test}
    leaking = sorted({_name(row) for row in training if row["patient id"] in patients})
    leave_out(leaking, len({_name(row) for row in training}), "training cases of a test patient")
    training = [row for row in training if row["patient id"] not in patients]
    parts = {"training": training, "validation": [], "test": test}
    places = read_places(folder)
    sections = {name: _cases(folder, places, rows, label) for name, rows in parts.items()}
    if lesions == "one":
        for case in (case for cases in sections.values() for case in cases):
            del case["class_seg"]
    return sections


def _rows(folder: Path, kind: str, part: str) -> list[dict[str, str]]:
    table = folder / f"{kind}_case_description_{part}_set.csv"
    # "breast_density" is "breast density" in the tables of calcifications; cells hold stray quotes and line ends.
    rows = [{k.replace("_", " "): v.strip("\"' \r\n") for k, v in row.items()} for row in read_table(table)]
    require_columns(rows, table, COLUMNS)
    return [row | {"kind": kind} for row in rows]


def _name(row: dict[str, str]) -> str:
    return f"{row['patient id']}_{row['left or right breast']}_{row['image view']}"


def _cases(folder: Path, places: dict[str, PurePosixPath], rows: list[dict[str, str]], label: str) -> list[dict]:
    groups = defaultdict(list)
    for row in rows:
        groups[_name(row)].append(row)
    cases = [_case(folder, places, name, found, label) for name, found in groups.items()]
    unclear = [name for name, case in zip(groups, cases, strict=True) if case is None]
    leave_out(unclear, len(cases), "no file of a finding is a mask of the image's shape")
    return [case for case in cases if case]


def _case(folder: Path, places: dict[str, PurePosixPath], name: str, found: list[dict], label: str) -> dict | None:
    first = found[0]
    case: dict = {"image": series_files(folder, places, first["image file path"])[0], "case_id": name}
    case |= {"patient_id": first["patient id"], "laterality": first["left or right breast"][:1]}
    case |= {"view": first["image view"], "density": number(first["breast density"])}
    case["birads"] = number(max(row["assessment"] for row in found))
    if label == "pathology":
        outlined, case["label_cls"] = found, int(any(row["pathology"] == MALIGNANT for row in found))
    else:
        outlined = [row for row in found if row["kind"] == "mass"]
        case["label_cls"] = int(bool(outlined))
    size = read_size(folder / case["image"])
    masks = []
    for row in outlined:
        named, crops = (series_files(folder, places, row[f"{c} file path"]) for c in ("ROI mask", "cropped image"))
        masks.append(find_mask(folder, [*named, *crops], named[-1], size))
    other = {read_size(folder / mask) for mask in masks if mask} - {None, size}
    if None in masks or (size and not all(same_shape(size, one) for one in other if one)):
        return None
    graded = [2 if row["pathology"] == MALIGNANT else 1 for row in outlined]
    case["label_seg"], case["class_seg"] = (masks[0], graded[0]) if len(masks) == 1 else (masks, graded)
    return case | ({"rescale_seg": True} if size and other else {})
