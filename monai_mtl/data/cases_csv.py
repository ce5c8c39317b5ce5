"""``cases.csv``: what a user adds to a data set without touching it: patients, splits, cases to leave out."""

from __future__ import annotations

import logging
from pathlib import Path

from ..errors import DataError
from .importers.tables import read_table, require_columns
from .naming import some_of

__all__ = ["NAME", "apply_cases_csv"]

logger = logging.getLogger("monai_mtl")

NAME = "cases.csv"
SECTIONS = ("training", "validation", "test")


def apply_cases_csv(sections: dict[str, list[dict]], folder: Path) -> dict[str, list[dict]]:
    """Add what the table of the folder says, if there is one.

    Columns: ``image`` (path relative to the folder, or ``case_id``), and any of ``patient_id``, ``split`` and
    ``exclude`` (any text leaves the case out). An empty cell changes nothing. Where a cell of ``split`` names a
    section, the case moves there.

    Args:
        sections: Cases by section, resolved.
        folder: The data set.

    Raises:
        DataError: If a row names no case, two rows one case, or a section is unknown.
    """
    table = folder / NAME
    if not table.is_file():
        return sections
    rows = read_table(table)
    require_columns(rows, table, ("image",))
    place = {key: (name, i) for name, cases in sections.items() for i, case in enumerate(cases) for key in _keys(case)}
    faults, changes = [], {}
    for row in rows:
        name = row["image"]
        at = place.get(name) or place.get(str((folder / name).resolve()))
        if at is None:
            faults.append(f"no such case: {name}")
        elif at in changes:
            faults.append(f"twice: {name}")
        elif row.get("split") and row["split"] not in SECTIONS:
            faults.append(f"unknown split '{row['split']}': {name}")
        else:
            changes[at] = row
    if faults:
        raise DataError(
            f"{len(faults)} of {len(rows)} rows of {NAME} cannot be used",
            faults,
            expected=f"image: a path below the data folder or a case_id; split: {' | '.join(SECTIONS)}",
            fix=f"correct {NAME}",
        )
    result: dict[str, list[dict]] = {name: [] for name in SECTIONS}
    left_out = []
    for name, cases in sections.items():
        for i, case in enumerate(cases):
            row = changes.get((name, i), {})
            if row.get("exclude"):
                left_out.append(str(case["case_id"]))
                continue
            added = {"patient_id": row["patient_id"]} if row.get("patient_id") else {}
            result[row.get("split") or name].append(case | added)
    if left_out:
        logger.warning("%d cases left out by %s%s", len(left_out), NAME, some_of(left_out))
    return result


def _keys(case: dict) -> tuple[str, str]:
    return str(case["case_id"]), str(case["image"])
