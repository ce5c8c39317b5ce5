"""The files of a finished evaluation, read again."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, MissingError
from ...metrics import CaseTable

__all__ = ["Evaluation", "read_evaluation"]

NOT_RECORDED = "not recorded: the evaluation is of a version that wrote no run.json"
NO_CURVES = "no training.csv came with the weights"


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation left.

    Args:
        folder: Where its files lie.
        metrics: Content of ``metrics.json``.
        rows: Of ``cases.csv``, in its order.
        table: Of ``scores.json``, in the same order.
        record: Content of ``run.json``; empty where there is none.
        training: Rows of ``training.csv``, numbers by column, without those that are empty.
    """

    folder: Path
    metrics: dict[str, Any]
    rows: list[dict[str, str]]
    table: CaseTable
    record: dict[str, Any]
    training: list[dict[str, float]]

    @property
    def classes(self) -> list[str]:
        """Names of the image's classes, index 0 first."""
        return [name[2:-1] for name in self.rows[0] if name.startswith("p(")]

    @property
    def several(self) -> bool:
        """Whether pixels have more classes than lesion and background."""
        return any(len(one) for one in self.table.confusion)

    @property
    def tissues(self) -> list[str]:
        """Names of the pixels' classes."""
        return list(self.record.get("seg_classes") or self.metrics.get("iou") or ["background", "lesion"])


def read_evaluation(run: Path) -> Evaluation:
    """Read the files of an evaluation.

    Args:
        run: Folder with ``metrics.json``, or a run's folder that holds it in ``eval/``.

    Raises:
        MissingError: If there is none.
        DataError: If its files do not fit each other.
    """
    folder = next((place for place in (run, run / "eval") if (place / "metrics.json").is_file()), run)
    needed = [folder / name for name in ("metrics.json", "scores.json", "cases.csv")]
    if missing := [file for file in needed if not file.is_file()]:
        raise MissingError(
            f"{run} holds no finished evaluation", missing, fix="evaluate first: monai-mtl evaluate BUNDLE"
        )
    metrics, scores = (json.loads(file.read_text(encoding="utf-8")) for file in needed[:2])
    with needed[2].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or [row["case_id"] for row in rows] != [one["case_id"] for one in scores]:
        raise DataError("cases.csv and scores.json are of two evaluations", needed[1:], fix="evaluate again")
    record = folder / "run.json"
    return Evaluation(
        folder,
        metrics,
        rows,
        CaseTable.from_rows(scores),
        json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {},
        _training(folder),
    )


def _training(folder: Path) -> list[dict[str, float]]:
    """Rows of the copy beside the evaluation, or of the training in the same run's folder."""
    for file in (folder / "training.csv", folder.parent / "models" / "training.csv"):
        if file.is_file():
            with file.open(newline="", encoding="utf-8") as stream:
                return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]
    return []
