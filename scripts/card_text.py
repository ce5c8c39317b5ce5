"""What the writers of model cards share: where numbers stand in a card, and how one is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "figure_rows", "interval", "number", "put_into_card"]

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- {}: written by scripts/{} -->", "<!-- end of {} -->"


def put_into_card(path: Path, lines: Sequence[str], what: str = "numbers") -> None:
    """Replace what stands between two marks of a card.

    Args:
        path: Of the card.
        lines: What to put there.
        what: Word of the marks.
    """
    card = path.read_text()
    begin = re.search(BEGIN.format(re.escape(what), r"[a-z_.]+"), card)
    end = END.format(what)
    if begin is None or end not in card:
        raise SystemExit(
            f"error: {path} has no place for {what}\n  fix: put {BEGIN.format(what, '...')} and {end} into it"
        )
    text = "\n".join(lines)
    path.write_text(f"{card[: begin.end()]}\n{text}\n{card[card.index(end) :]}")


def number(value: float | None) -> str:
    """Three digits, or nan."""
    return "nan" if value is None or value != value else f"{value:.3f}"


def interval(one: Mapping[str, Any]) -> str:
    """Both ends, or why there are none."""
    if one.get("low") is None or one["low"] != one["low"]:
        return one.get("reason", "none")
    return f"{one['low']:.3f} to {one['high']:.3f}"


def figure_rows(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rows of a table: figure, value, interval, n."""
    return [f"| {key} | {number(one['value'])} | {interval(one)} | {one['n']} |" for key, one in figures.items()]
