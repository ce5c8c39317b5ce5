"""Writes what a check found: ``check.json`` for programs, ``check.png`` for people."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike

from ..errors import MonaiMtlError
from ..outputs.result_json import write_json
from .facts import Facts
from .findings import Report
from .masks import load_mask
from .naming import called
from .reader import MedicalReader

__all__ = ["write_details"]

SHOWN = 48


def write_details(
    report: Report,
    cases: Sequence[dict],
    facts: Sequence[Facts],
    classes: Mapping[str, Sequence[str]],
    output_dir: PathLike,
    reader: Mapping[str, Any] | None = None,
) -> None:
    """Write both files and note their place in the report. Of several processes only the first writes.

    Args:
        report: Of the check.
        cases: All cases.
        facts: Of each.
        classes: Class names by task.
        output_dir: Folder to write to.
        reader: Options of :class:`MedicalReader` for the images.

    Raises:
        OSError: If the folder cannot be written to.
    """
    from ..outputs.data_sheet import Tile, data_sheet  # drawing takes long to import

    folder = Path(output_dir)
    first = int(os.environ.get("RANK", "0")) == 0
    if first:
        write_json(folder / "check.json", report.to_json())
    report.details = folder / "check.json"
    if not first:
        return
    kinds: dict[str, list[str]] = defaultdict(list)
    for one in report.findings:
        for case in one.cases if one.kind not in ("no_patient_id", "class_balance", "unused") else ():
            kinds[case].append(one.kind.replace("_", " "))
    flagged = [case for case in cases if case["case_id"] in kinds]
    tiles = [
        Tile(*_picture(case, classes, reader or {}), (str(case["case_id"]), ", ".join(kinds[case["case_id"]])))
        for case in flagged[:SHOWN]
    ]
    spacings = [max(fact.spacing) for fact in facts if fact.spacing is not None]
    data_sheet(_title(report, len(flagged)), tiles, report.overview, spacings).save(folder / "check.png")


def _title(report: Report, flagged: int) -> str:
    first = f"{report.total} cases, {len(report.errors)} kinds of errors, {len(report.warnings)} of warnings"
    return first + (f"; the first {SHOWN} of {flagged} cases concerned" if flagged > SHOWN else "")


def _picture(
    case: dict, classes: Mapping[str, Sequence[str]], reader: Mapping[str, Any]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Image and mask with rows first, each None where it cannot be read."""
    with called(str(case["case_id"])):
        return _read(case, classes, reader)


def _read(
    case: dict, classes: Mapping[str, Sequence[str]], reader: Mapping[str, Any]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    try:
        array, _ = MedicalReader("image", **reader).get_data([Path(case["image"])])
    except MonaiMtlError:
        return None, None
    rows_last = np.asarray(array)
    grey = (rows_last.mean(axis=0) if rows_last.ndim == 3 else rows_last).T
    if case.get("label_seg") is None or "seg" not in classes:
        return grey, None
    try:
        how = len(classes["seg"]), bool(case.get("rescale_seg")), case.get("class_seg")
        return grey, load_mask(case["label_seg"], grey.shape[::-1], *how).T
    except MonaiMtlError:
        return grey, None
