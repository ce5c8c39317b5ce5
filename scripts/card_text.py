"""What the writers of model cards share: where numbers stand in a card, and how one is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "interval", "number", "put_into_card"]

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- numbers: written by scripts/{} -->", "<!-- end of numbers -->"


def put_into_card(path: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the marks of a card.

    Args:
        path: Of the card.
        lines: What to put there.
    """
    card = path.read_text()
    begin = re.search(re.escape(BEGIN).replace(r"\{\}", r"[a-z_.]+"), card)
    if begin is None or END not in card:
        raise SystemExit(f"error: the card has no place for numbers\n  fix: put {BEGIN} and {END} into it")
    text = "\n".join(lines)
    path.write_text(f"{card[: begin.end()]}\n{text}\n{card[card.index(END) :]}")


def number(value: float | None) -> str:
    """Three digits, or nan."""
    return "nan" if value is None else f"{value:.3f}"


def interval(one: dict[str, Any]) -> str:
    """Both ends, or why there are none."""
    if one.get("low") is None:
        return one.get("reason", "none")
    return f"{one['low']:.3f} to {one['high']:.3f}"
