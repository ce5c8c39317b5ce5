"""The page of a report, and ``report.json`` beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from ...metrics import MEASURE_SETS
from ..boxes import BOX_LEGEND, TRUE_BOX_LEGEND
from ..overlay import PREDICTION_COLOUR, TRUTH_COLOUR
from ..result_json import NOTICE, write_json
from ..tissue_overlay import tissue_colours
from .cases import NOT_ANNOTATED, overlay_of, picture_of, worst_first
from .curves import all_charts
from .drawing import draw_charts
from .evaluation import NOT_RECORDED, Evaluation, read_evaluation

__all__ = ["PICTURES", "page_environment", "write_report"]

PICTURES = 500
"""Worst cases that are shown with a picture; the others in words."""
RULES = {
    "clean": "Each figure counts only the cases that can answer its question.",
    "clean_classes": "Each figure counts only the cases that can answer its question.",
    "isic": "The rules of the ISIC challenge; figures of masks are means over images.",
    "boxes": "The one box of an image. One without a lesion counts in the precision alone, where its box is wrong.",
    "breasts": "Images by themselves, and breasts by the most suspicious of their views.",
    "fcn_paper": "The figures that the paper names, by our rules, since it states none.",
}
PAPER = (
    "The rules of the paper's code, to compare with the paper. They may flatter: read the clean figures beside them."
)
PANELS = {
    False: "Left: the image with both contours. Right: the probability of a lesion, bright where it is high.",
    True: "Panels: image; annotated, where it is; predicted; probability of the surest diagnosis, where there is one.",
}


def write_report(run: Path, names: bool = False) -> Path:
    """Write ``report.html`` and ``report.json`` of a finished evaluation into its folder.

    The page needs no other file and no network. It tells a case by its row in ``cases.csv``, so that the page holds
    no name by which a patient might be known.

    Args:
        run: Folder of the evaluation, or of the run that holds it in ``eval/``.
        names: Whether cases are also called by their names.

    Returns:
        Path of the page.

    Raises:
        MissingError: If there is no finished evaluation.
        DataError: If its files do not fit each other.
    """
    found = read_evaluation(Path(run))
    content = _content(found, names)
    write_json(found.folder / "report.json", content)
    charts = content["charts"]
    pictures = {one["case"]: picture_of(found, one["name"]) for one in worst_first(found)[:PICTURES]}
    page = (
        page_environment()
        .get_template("report.html")
        .render(
            content,
            pictures=pictures,
            shown=PICTURES,
            drawn=draw_charts(charts),
            matrices={name: charts[f"confusion_{name}"] for name in ("images", "pixels")},
            legend=_legend(found),
            panels=PANELS[found.several],
            wide=found.several,
        )
    )
    path = found.folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _content(found: Evaluation, names: bool) -> dict[str, Any]:
    metrics, cases = found.metrics, worst_first(found)
    expected = found.record.get("expected_cases")
    masks = [one["case"] for one in cases if one.get("value_reason") in NOT_ANNOTATED]
    return {
        "title": metrics["title"],
        "cases": len(cases),
        "patients": metrics.get("patients", len(found.table.groups)),
        "ran": found.record or {"reason": NOT_RECORDED},
        "metrics": metrics["metrics"],
        "tables": metrics.get("tables", {}),
        "subgroups": metrics.get("subgroups", {}),
        "iou": metrics.get("iou", {}),
        "interval": metrics.get("interval", ""),
        "charts": all_charts(found),
        "missing": {
            "expected": expected,
            "not_scored": None if expected is None else expected - len(cases),
            "without_mask": masks,
            "without_class": [one["case"] for one in cases if one["label"] is None],
            "without_picture": [one["case"] for one in cases if not overlay_of(found, one["name"]).is_file()],
        },
        "worst_first": [{key: value for key, value in one.items() if names or key != "name"} for one in cases],
        "notice": NOTICE,
    }


def _legend(found: Evaluation) -> list[tuple[str, tuple[int, int, int]]]:
    if found.several:
        return list(zip(found.tissues, tissue_colours(len(found.tissues)), strict=True))
    boxes = (*TRUE_BOX_LEGEND, *BOX_LEGEND) if "box_score" in found.rows[0] else ()
    return [("annotated", TRUTH_COLOUR), ("predicted", PREDICTION_COLOUR), *boxes]


def page_environment() -> Environment:
    """Templates of the pages, and what they may call."""
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "interval": _interval, "numbers": _numbers}
    environment.globals |= {"what": _what, "rules": lambda kind: RULES.get(kind, PAPER)}
    return environment


def _number(value: float | None, digits: int = 3) -> str:
    return "nan" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _interval(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    return f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "none"


def _numbers(cases: list[int]) -> str:
    return f"{'case' if len(cases) == 1 else 'cases'} {', '.join(map(str, sorted(cases)))}" if cases else "none"


def _what(kind: str, name: str) -> str:
    measure = MEASURE_SETS.get(kind, {}).get(name)
    return measure.what if measure else ""
