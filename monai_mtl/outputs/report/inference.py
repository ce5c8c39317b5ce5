"""The page of an inference, and ``report.json`` beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..boxes import BOX_LEGEND
from ..overlay import PREDICTION_COLOUR
from ..result_json import NOTICE, write_json
from .page import page_environment

__all__ = ["write_inference_report"]

PANELS = "Left: the image with the contour. Right: the probability of a lesion, bright where it is high."
REGION_PANELS = "Panels: image; predicted tissue; probability of the surest diagnosis, where there is one."
TISSUES = 3
"""Largest shares that a page tells."""


def write_inference_report(
    folder: Path,
    title: str,
    summary: Mapping[str, Any],
    pictures: Mapping[str, Mapping[str, Any]],
    record: Mapping[str, Any],
    tissues: Sequence[tuple[str, tuple[int, int, int]]] = (),
) -> Path:
    """Write ``report.html`` and ``report.json`` of an inference.

    The page needs no other file and no network. It calls the images by their names, by which their files are found.

    Args:
        folder: Of the run.
        title: In a line.
        summary: Content of ``results.json``.
        pictures: By ``case_id``, as :func:`monai_mtl.outputs.report.cases.small_picture` gives them; cases without one
            are told in words.
        record: As :func:`monai_mtl.outputs.report.record.run_record` gives it, with ``bundle``.
        tissues: Names and colours, where a pixel has one of several.

    Returns:
        Path of the page.
    """
    cases = [_case(one) for one in summary["results"]]
    content = {
        "title": title,
        "images": len(cases) + len(summary["failed"]),
        "done": len(cases),
        "failed": list(summary["failed"]),
        "classes": dict(Counter(one["label"] for one in cases if one["label"] is not None).most_common()),
        "ran": dict(record),
        "cases": cases,
        "notice": NOTICE,
    }
    write_json(folder / "report.json", content)
    boxes = BOX_LEGEND if any("detection" in one for one in summary["results"]) else ()
    page = (
        page_environment()
        .get_template("inference.html")
        .render(
            content,
            pictures=pictures,
            legend=list(tissues) or [("predicted", PREDICTION_COLOUR), *boxes],
            panels=REGION_PANELS if tissues else PANELS,
            wide=bool(tissues),
        )
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _case(result: Mapping[str, Any]) -> dict[str, Any]:
    answer = result.get("classification") or {}
    found = _tissues(result["tissue"]) if "tissue" in result else _lesions(result.get("lesions", []))
    return {
        "case_id": result["case_id"],
        "label": answer.get("label"),
        "probabilities": dict(answer.get("probabilities", {})),
        "found": f"{found}; {_box(result['detection'])}" if "detection" in result else found,
    }


def _lesions(lesions: Sequence[Mapping[str, Any]]) -> str:
    """Number of lesions and size of the largest, in words."""
    if not lesions:
        return "no lesion"
    first, count = lesions[0], sum(one["parts"] for one in lesions)
    unit = "mm" if first["long_axis_mm"] is not None else "pixels"
    size = " x ".join(f"{first[f'{axis}_axis_{unit}']:.1f}" for axis in ("long", "short"))
    one = "one lesion" if count == 1 else f"{count} lesions, the largest"
    return f"{one}: {size} {unit}, surest p = {max(entry['confidence']['largest'] for entry in lesions):.2f}"


def _box(detection: Mapping[str, Any]) -> str:
    if detection["box_xyxy"] is None:
        return "no box"
    x0, y0, x1, y1 = (round(value) for value in detection["box_xyxy"])
    return f"box from ({x0}, {y0}) to ({x1}, {y1}), score {detection['score']:.2f}"


def _tissues(shares: Mapping[str, float]) -> str:
    largest = sorted(shares, key=lambda name: -shares[name])[:TISSUES]
    return ", ".join(f"{name} {100 * shares[name]:.0f} %" for name in largest)
