"""Tables of a finished cross-validation into a model card.

python scripts/card_study.py acsnet_busi OUT       OUT/table.json, and OUT/ablations/table.json where it is

OUT was written by ``monai-mtl crossval``. The tables are kept as docs/crossval.json beside the card.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fire
from card_text import ROOT, interval, number, put_into_card

from monai_mtl.outputs.result_json import write_json

SHORT = ("dice_lesion", "miou", "pixel_accuracy", "accuracy", "auc")
"""Columns of the table of ablations, of those that the bundle has."""


def main(bundle: str, study: str) -> None:
    """Write ``docs/crossval.json`` and put its tables into the card.

    Args:
        bundle: Name.
        study: Folder of a finished ``monai-mtl crossval``.
    """
    docs = ROOT / "bundles" / bundle / "docs"
    files = {"folds": Path(study) / "table.json", "ablations": Path(study) / "ablations" / "table.json"}
    content = {name: json.loads(file.read_text()) for name, file in files.items() if file.is_file()}
    write_json(docs / "crossval.json", content)
    lines = _folds(content["folds"]) + (_ablations(content["ablations"]) if "ablations" in content else [])
    put_into_card(docs / "README.md", lines)


def _kinds(content: dict[str, Any]) -> dict[str, Any]:
    return {name: groups for name, groups in content.items() if isinstance(groups, dict)}


def _folds(content: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for kind, groups in _kinds(content).items():
        lines += [
            "",
            f"### {kind}",
            "| figure | mean ± sd over folds | all test cases | 95 % interval | n |",
            "|---" * 5 + "|",
        ]
        for name, one in groups["all cases"].items():
            mean = groups["mean"][name]
            spread = "nan" if mean["value"] is None else f"{number(mean['value'])} ± {number(mean['sd'])}"
            lines.append(f"| {name} | {spread} | {number(one['value'])} | {interval(one)} | {one['n']} |")
    return lines[1:]


def _ablations(content: dict[str, Any]) -> list[str]:
    groups = _kinds(content)
    kind = next(name for name in groups if name.startswith("clean"))
    rows, less = groups[kind]["rows"], groups[kind]["less full"]
    columns = [name for name in SHORT if name in rows["full"]]
    lines = ["", "### Ablations, on the same folds and of the same length", "| | " + " | ".join(columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for label, part in (("", rows), (" less full", less)):
        for name, row in part.items():
            cells = [_cell(row[column]) for column in columns]
            lines.append(f"| {name}{label} | " + " | ".join(cells) + " |")
    return lines


def _cell(one: dict[str, Any]) -> str:
    return "not scored" if one["value"] is None else f"{number(one['value'])} ({interval(one)}; n={one['n']})"


if __name__ == "__main__":
    fire.Fire(main)
