"""Intervals by drawing patients again, and differences of two models on the same cases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .case_scores import CaseTable
from .measure import Measure

__all__ = ["format_table", "measure_all", "paired_difference"]

DRAWS = 1000
LEVEL = 0.95


def measure_all(
    table: CaseTable, measures: Mapping[str, Measure], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Every figure with its number of cases and a percentile interval.

    Patients are drawn with replacement, each with all cases, because images of one patient are not independent.
    Draws in which a figure is undefined do not count; if more than half are, there is no interval. Nor is there one
    where all draws agree, as of an AUC of 1 on a few cases: they tell nothing of its spread.

    Args:
        table: Cases.
        measures: By name.
        draws: Number of draws; 0 for no intervals.
        seed: Of the draws.

    Returns:
        By name ``value``, ``n``, ``low``, ``high`` and, where something is nan, ``reason``.
    """
    found = {name: measure.compute(table) for name, measure in measures.items()}
    drawn = _draw([table], measures, draws, seed)[0]
    results: dict[str, dict[str, Any]] = {}
    for name, measured in found.items():
        entry: dict[str, Any] = {"value": measured.value, "n": measured.n}
        entry["low"], entry["high"], reason = _interval(drawn[name], measured.value)
        if entry["low"] == entry["high"]:
            entry["low"], entry["high"], reason = math.nan, math.nan, "no interval: the same in every draw"
        if measured.reason or reason:
            entry["reason"] = measured.reason or reason
        results[name] = entry
    return results


def paired_difference(
    table: CaseTable, other: CaseTable, measures: Mapping[str, Measure], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Figures of ``other`` less those of ``table``, with intervals; the same patients are drawn for both.

    Args:
        table: Cases as one model answered them.
        other: The same cases as another did.
        measures: By name.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        By name ``value``, ``low``, ``high`` and, where something is nan, ``reason``.

    Raises:
        ValueError: If the two hold different cases.
    """
    if sorted(table.case_id) != sorted(other.case_id):
        raise ValueError("the two tables hold different cases")
    order = {name: i for i, name in enumerate(other.case_id)}
    other = other.take([order[name] for name in table.case_id])
    pairs = _draw([table, other], measures, draws, seed)
    results: dict[str, dict[str, Any]] = {}
    for name, measure in measures.items():
        first, second = measure.compute(table), measure.compute(other)
        value = second.value - first.value
        entry: dict[str, Any] = {"value": value}
        entry["low"], entry["high"], reason = _interval(pairs[1][name] - pairs[0][name], value)
        if first.reason or second.reason or reason:
            entry["reason"] = first.reason or second.reason or reason
        results[name] = entry
    return results


def format_table(title: str, figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of a table of :func:`measure_all`: value, interval, number of cases, reason.

    >>> format_table("clean", {"auc": {"value": 0.75, "n": 9, "low": 0.5, "high": 1.0}})[-1]
    '  auc                      0.750  0.500 to 1.000      9'
    """
    lines = [f"  {title:<22}{'value':>8}  {'95 % interval':<16}{'n':>5}", "  " + "-" * 53]
    for name, one in figures.items():
        value = "nan" if math.isnan(one["value"]) else f"{one['value']:.3f}"
        interval = "" if math.isnan(one["low"]) else f"{one['low']:.3f} to {one['high']:.3f}"
        lines.append(f"  {name:<22}{value:>8}  {interval:<16}{one.get('n', ''):>5}  {one.get('reason', '')}".rstrip())
    return lines


def _draw(
    tables: list[CaseTable], measures: Mapping[str, Measure], draws: int, seed: int
) -> list[dict[str, np.ndarray]]:
    groups = tables[0].groups
    random = np.random.default_rng(seed)
    drawn = [{name: np.full(draws, math.nan) for name in measures} for _ in tables]
    for draw in range(draws if groups else 0):
        rows = [row for group in random.integers(0, len(groups), len(groups)) for row in groups[group]]
        for table, values in zip(tables, drawn, strict=True):
            sample = table.take(rows)
            for name, measure in measures.items():
                values[name][draw] = measure.compute(sample).value
    return drawn


def _interval(drawn: np.ndarray, value: float) -> tuple[float, float, str]:
    if math.isnan(value) or not len(drawn):
        return math.nan, math.nan, ""
    known = drawn[~np.isnan(drawn)]
    if 2 * len(known) <= len(drawn):
        return math.nan, math.nan, f"no interval: undefined in {len(drawn) - len(known)} of {len(drawn)} draws"
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high), ""
