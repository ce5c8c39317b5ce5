"""Tables of a finished cross-validation into a model card.

python scripts/card_study.py acsnet_busi OUT [--groups bundles/acsnet_busi/docs/bus_bra_calipers.csv]
python scripts/card_study.py ynet_biopsy OUT_OF_TILES --what tiles

OUT was written by ``monai-mtl crossval`` or in its form. Every figure is computed again from the scores of its cases;
they are kept beside the card as docs/<what>.json.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fire
import numpy as np
from card_text import ROOT, figure_rows, interval, number, put_into_card

from monai_mtl.metrics import MEASURE_SETS, CaseTable, measure_all
from monai_mtl.outputs.result_json import write_json
from monai_mtl.study import load_scores, measure_sets, pool

SHORT = ("dice_lesion", "dice", "hd95", "miou", "pixel_accuracy", "accuracy", "auc", "auc_macro")
SHORT += ("auc_image", "auc_breast")  # type: ignore[assignment]
"""Columns of the tables of subgroups and ablations, of those that the bundle has."""


def main(bundle: str, study: str, what: str = "crossval", groups: str | None = None, draws: int = 1000) -> None:
    """Write ``docs/<what>.json`` and put its tables into the card.

    Args:
        bundle: Name.
        study: Folder of a finished ``monai-mtl crossval``.
        what: Word of the marks in the card.
        groups: Table with the columns case_id and one more, whose values are subgroups.
        draws: Of an interval.
    """
    folder, place = ROOT / "bundles" / bundle, Path(study)
    folds = {path.parent.name: load_scores(path.parent) for path in sorted(place.glob("*/done.json"))}
    table, kinds = pool(folds), measure_sets(folder)
    content: dict[str, Any] = {
        "cases": len(table),
        "patients": len(table.groups),
        "folds": {name: len(one) for name, one in folds.items()},
        "tables": {kind: measure_all(table, MEASURE_SETS[kind], draws) for kind in kinds},
    }
    if groups is not None:
        content["subgroups"] = _subgroups(table, Path(groups), kinds[-1], draws)
    ablations = place / "ablations" / "table.json"
    if ablations.is_file():
        content["ablations"] = json.loads(ablations.read_text())[kinds[-1]]
    write_json(folder / "docs" / f"{what}.json", content)
    put_into_card(
        folder / "docs" / "README.md", _lines(json.loads((folder / "docs" / f"{what}.json").read_text())), what
    )


def _subgroups(table: CaseTable, path: Path, kind: str, draws: int) -> dict[str, Any]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    name = next(key for key in rows[0] if key != "case_id")
    values = {row["case_id"]: row[name] for row in rows}
    of_case = np.array([values[case.split(" ", 1)[1]] for case in table.case_id])  # pool puts the fold before it
    measures = {key: one for key, one in MEASURE_SETS[kind].items() if key in SHORT}
    return {
        f"{name} {value}": {
            "cases": int((of_case == value).sum()),
            "figures": measure_all(table.take(np.flatnonzero(of_case == value)), measures, draws),
        }
        for value in sorted(set(of_case))
    }


def _lines(content: Mapping[str, Any]) -> list[str]:
    parts = ", ".join(str(n) for n in content["folds"].values())
    lines = [f"{content['cases']} images of {content['patients']} patients, each scored once (folds of {parts})."]
    for kind, figures in content["tables"].items():
        lines += ["", f"#### {kind}", "| figure | all test cases | 95 % interval | n |", "|---|---|---|---|"]
        lines += figure_rows(figures)
    if "subgroups" in content:
        groups = content["subgroups"]
        lines += ["", "#### Subgroups", *_head(next(iter(groups.values()))["figures"], "group")]
        lines += [_row(f"{name} ({one['cases']} images)", one["figures"]) for name, one in groups.items()]
    if "ablations" in content:
        lines += ["", "#### Ablations, on the same folds and of the same length"]
        lines += variant_rows(content["ablations"], "full")
    return lines


def variant_rows(content: Mapping[str, Any], first: str) -> list[str]:
    """Rows of a table of variants and of their differences to the first one.

    Args:
        content: One kind of :func:`monai_mtl.outputs.study_table.variant_table`.
        first: Name of the first.
    """
    lines = _head(content["rows"][first], "")
    lines += [_row(name, one) for name, one in content["rows"].items()]
    return lines + [_row(f"{name} less {first}", one) for name, one in content[f"less {first}"].items()]


def _head(figures: Mapping[str, Any], first: str) -> list[str]:
    columns = [name for name in SHORT if name in figures]
    return [f"| {first} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]


def _row(name: str, figures: Mapping[str, Any]) -> str:
    cells = [_cell(figures[column]) for column in SHORT if column in figures]
    return f"| {name} | " + " | ".join(cells) + " |"


def _cell(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return "not scored"
    n = f"; n={one['n']}" if "n" in one else ""
    return f"{number(one['value'])} ({interval(one)}{n})"


if __name__ == "__main__":
    fire.Fire(main)
