"""Tables of several runs: folds with mean and spread, variants with their difference to the whole method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..metrics import MEASURE_SETS, CaseTable, measure_all, paired_difference
from .result_json import NOTICE, write_json

__all__ = ["COLUMNS", "fold_table", "study_lines", "variant_table", "write_study"]

PAPER_ORDER = ("dsc", "se", "fpi", "accuracy", "auc", "f1", "recall", "precision")
"""Columns of Table 2 of the HDS paper, in its order."""
CLEAN_ORDER = ("dice_lesion", "pixel_sensitivity", "lesion_sensitivity", "false_per_image", "froc")
CLEAN_ORDER += ("accuracy", "auc", "f1", "recall", "precision", "brier")  # type: ignore[assignment]
ACSNET_ORDER = ("jaccard", "dice", "accuracy", "precision_weighted", "recall_macro", "f1_weighted")
YNET_ORDER = ("overall_accuracy", "class_accuracy", "miou", "accuracy")
CLASSES_ORDER = ("miou", "pixel_accuracy", "pixel_recall_macro", "accuracy", "recall_macro", "auc_macro", "brier")
COLUMNS: Mapping[str, Sequence[str]] = {
    "hds_paper": PAPER_ORDER,
    "acsnet_paper": ACSNET_ORDER,
    "ynet_paper": YNET_ORDER,
    "isic": tuple(MEASURE_SETS["isic"]),
    "boxes": tuple(MEASURE_SETS["boxes"]),
    "clean": CLEAN_ORDER,
    "clean_classes": CLASSES_ORDER,
    "breasts": ("auc_image", "auc_breast"),
    "fcn_paper": ("dice", "auc_image", "auc_breast"),
}
HDS = ("hds_paper", "clean")


def fold_table(
    tables: Mapping[str, CaseTable], pooled: CaseTable, draws: int = 1000, kinds: Sequence[str] = HDS
) -> dict[str, Any]:
    """Figures of each fold, their mean and standard deviation, and figures of all cases with intervals.

    A fold in which a figure is undefined does not count in its mean, and ``folds`` says how many do.

    Args:
        tables: Scores by name of the fold.
        pooled: All cases in one table.
        draws: Draws of an interval.
        kinds: Sets of figures, names of :data:`COLUMNS`.
    """
    content: dict[str, Any] = {}
    for kind, columns in ((kind, COLUMNS[kind]) for kind in kinds):
        measures = {name: MEASURE_SETS[kind][name] for name in columns}
        rows = {name: measure_all(table, measures, draws=0) for name, table in tables.items()}
        mean: dict[str, Any] = {}
        for column in columns:
            values = np.array([row[column]["value"] for row in rows.values()])
            known = values[~np.isnan(values)]
            mean[column] = {"value": float(known.mean()) if len(known) else math.nan, "folds": len(known)}
            mean[column]["sd"] = float(known.std(ddof=1)) if len(known) > 1 else math.nan
            if not len(known):
                mean[column]["reason"] = next(iter(rows.values()))[column]["reason"]
        content[kind] = {"rows": rows, "mean": mean, "all cases": measure_all(pooled, measures, draws)}
    return content


def variant_table(tables: Mapping[str, CaseTable], draws: int = 1000, kinds: Sequence[str] = HDS) -> dict[str, Any]:
    """Figures of each variant with intervals, and differences to the first one on the same cases.

    Args:
        tables: Scores by name of the variant, the whole method first.
        draws: Draws of an interval.
        kinds: As in :func:`fold_table`.
    """
    first = next(iter(tables))
    content: dict[str, Any] = {}
    for kind, columns in ((kind, COLUMNS[kind]) for kind in kinds):
        measures = {name: MEASURE_SETS[kind][name] for name in columns}
        content[kind] = {
            "rows": {name: measure_all(table, measures, draws) for name, table in tables.items()},
            f"less {first}": {
                name: paired_difference(tables[first], table, measures, draws)
                for name, table in tables.items()
                if name != first
            },
        }
    return content


def study_lines(content: Mapping[str, Any], title: str) -> list[str]:
    """Lines of ``table.md``.

    Args:
        content: Of :func:`fold_table` or :func:`variant_table`.
        title: One line.
    """
    lines = [f"# {title}", ""]
    for kind, groups in content.items():
        lines += [f"## {kind}", "", "| | " + " | ".join(COLUMNS[kind]) + " |", "|---" * (len(COLUMNS[kind]) + 1) + "|"]
        for group, rows in groups.items():
            nested = rows if group == "rows" or group.startswith("less ") else {group: rows}
            for name, row in nested.items():
                called = f"{name} {group}" if group.startswith("less ") else name
                lines.append(f"| {called} | " + " | ".join(_cell(row[column]) for column in COLUMNS[kind]) + " |")
        reasons = {
            f"{column}: {row[column]['reason']}"
            for rows in groups.values()
            for row in (rows.values() if all("value" not in one for one in rows.values()) else [rows])
            for column in row
            if "reason" in row[column]
        }
        lines += ["", *(f"- nan or no interval, {reason}" for reason in sorted(reasons)), *([""] if reasons else [])]
    lines.append(f"In brackets 95 % intervals by drawing patients; ± is the standard deviation over folds. {NOTICE}")
    return lines


def write_study(content: Mapping[str, Any], title: str, output: Path) -> list[str]:
    """Write ``table.json`` and ``table.md``.

    Args:
        content: As :func:`study_lines` takes it.
        title: One line.
        output: Folder of the study.

    Returns:
        The lines of ``table.md``.
    """
    lines = study_lines(content, title)
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(output / "table.json", {"title": title, **content, "notice": NOTICE})
    return lines


def _cell(one: Mapping[str, Any]) -> str:
    if math.isnan(one["value"]):
        return "nan"
    text = f"{one['value']:.3f}"
    if "sd" in one:
        return text if math.isnan(one["sd"]) else f"{text} ± {one['sd']:.3f}"
    known = "low" in one and not math.isnan(one["low"])
    return f"{text} ({one['low']:.3f} to {one['high']:.3f})" if known else text
