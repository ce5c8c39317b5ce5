"""BUS-BRA, breast ultrasound images of 1064 patients, and a flattened part of it.

Gomez-Flores et al., BUS-BRA: a breast ultrasound dataset for assessing computer-aided diagnosis systems, Medical
Physics 51 (2024).
"""

from __future__ import annotations

from pathlib import Path

from .flat import flat_rows
from .shared import image_files, number, refuse_mismatch, training_only
from .tables import has_columns, read_table, require_columns

__all__ = ["LAYOUT", "matches", "read"]

LAYOUT = "Images/, Masks/ and bus_data.csv, or labels.csv with bus_bra_id (BUS-BRA)"
COLUMNS = ("ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Side")
FLAT = ("image", "mask", "label", "patient", "bus_bra_id")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return has_columns(folder / "bus_data.csv", ("ID", "Case")) or has_columns(folder / "labels.csv", FLAT)


def read(folder: Path) -> dict[str, list[dict]]:
    """Cases, all in training; ``label_cls`` is the pathology, ``side`` the half of a screen that shows two images.

    Raises:
        DataError: If tables, columns or images are missing, or disagree.
    """
    if has_columns(folder / "labels.csv", FLAT):
        return training_only([_flat_case(row) for row in flat_rows(folder, FLAT)])
    table = folder / "bus_data.csv"
    rows = read_table(table)
    require_columns(rows, table, COLUMNS)
    images = image_files(folder / "Images")
    refuse_mismatch([row["ID"] for row in rows], images, table, "Images/")
    cases = []
    for row in rows:
        case: dict = {"image": f"Images/{images[row['ID']].name}", "case_id": row["ID"], "patient_id": row["Case"]}
        case["label_seg"] = f"Masks/mask_{row['ID'].removeprefix('bus_')}.png"
        case |= {"label_cls": row["Pathology"].lower(), "birads": number(row["BIRADS"])}
        cases.append(case | {"histology": row["Histology"], "device": row["Device"], "side": row["Side"]})
    return training_only(cases)


def _flat_case(row: dict[str, str]) -> dict:
    case = {"image": row["image"], "case_id": row["bus_bra_id"], "patient_id": row["patient"]}
    return case | {"label_seg": row["mask"], "label_cls": row["label"]}
