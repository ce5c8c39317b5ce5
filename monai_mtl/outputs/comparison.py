"""Several finished evaluations of the same cases in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from .report.evaluation import Evaluation, read_evaluation
from .study_table import COLUMNS, variant_table

__all__ = ["compare_runs"]


def compare_runs(runs: Sequence[Path], draws: int = 1000) -> dict[str, Any]:
    """Figures of each run, and differences of the others to the first, by drawing the same patients for both.

    Args:
        runs: Folders of evaluations, or of the runs that hold them in ``eval/``.
        draws: Draws of an interval.

    Returns:
        As :func:`monai_mtl.outputs.study_table.variant_table`, a row a run.

    Raises:
        ConfigError: If there are fewer than two runs, or they have no set of figures in common.
        DataError: If they are of different cases or data.
        MissingError: If one holds no finished evaluation.
    """
    if len(runs) < 2:
        raise ConfigError(f"{len(runs)} runs make no comparison", expected="two or more", fix="name their folders")
    found = [read_evaluation(run) for run in runs]
    for run, one in zip(runs[1:], found[1:], strict=True):
        _refuse_others(runs[0], found[0], run, one)
    kinds = [kind for kind in found[0].metrics.get("tables", {}) if kind in COLUMNS]
    kinds = [kind for kind in kinds if all(kind in one.metrics.get("tables", {}) for one in found)]
    if not kinds:
        raise ConfigError("the runs have no set of figures in common", expected=", ".join(COLUMNS))
    names = _names(runs)
    return variant_table({name: one.table for name, one in zip(names, found, strict=True)}, draws, kinds)


def _refuse_others(first: Path, one: Evaluation, run: Path, other: Evaluation) -> None:
    fix = "evaluate both on the same test cases"
    apart = set(one.table.case_id) ^ set(other.table.case_id)
    if apart or len(one.table) != len(other.table):
        raise DataError(f"{run} and {first} are of different cases: {len(apart)} are in one of them only", fix=fix)
    digests = [record.get("data_sha256") for record in (one.record, other.record)]
    if None not in digests and digests[0] != digests[1]:
        raise DataError(f"{run} and {first} are of different data under the same names", digests, fix=fix)


def _names(runs: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the runs apart, without a last ``eval``."""
    paths = [path.parent if path.name == "eval" else path for path in (run.resolve() for run in runs)]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise ConfigError("a run is named twice", runs, fix="name each once")
