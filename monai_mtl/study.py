"""Several trainings that make one table: folds of a cross-validation, rows of an ablation.

Each run trains and evaluates in a folder of its own and ends with ``done.json``. A study that was stopped goes on in
the first run that has none, after the last whole epoch; since a training resumes exactly, the table is the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bundle.occupied_folder import OccupiedFolder
from .bundle.running import run_configs
from .errors import ConfigError
from .metrics import CaseTable
from .outputs.result_json import software_versions, write_json

__all__ = ["Run", "ablation_overlay", "ablation_runs", "load_scores", "measure_sets", "perform", "pool", "run_folds"]

logger = logging.getLogger("monai_mtl")

FOLDS = 5
BEGUN, DONE = "begun.json", "done.json"


@dataclass(frozen=True)
class Run:
    """One training with its evaluation.

    Args:
        name: Of its folder and its row.
        overlays: Config files on top of train.json, relative to the bundle's ``configs/``.
        settings: Overrides.
    """

    name: str
    overlays: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_folds(folds: Sequence[int] = range(FOLDS), overlays: Sequence[str] = (), **settings: Any) -> list[Run]:
    """One run a fold: three fifths of the patients train, one selects the checkpoint, one is reported.

    Raises:
        ConfigError: If a fold does not exist or is named twice.
    """
    if not folds or any(fold not in range(FOLDS) for fold in folds) or len(set(folds)) != len(folds):
        raise ConfigError(f"folds {list(folds)}", expected=f"some of 0..{FOLDS - 1}", fix="correct --folds")
    return [Run(f"fold_{fold}", tuple(overlays), {**settings, "fold": fold}) for fold in folds]


def ablation_overlay(bundle: Path, name: str) -> str:
    """Overlay of one ablation, relative to the bundle's ``configs/``.

    Args:
        bundle: Folder of the bundle.
        name: Of the ablation.

    Raises:
        ConfigError: If the bundle has no such ablation.
    """
    names = sorted(path.stem for path in (bundle / "configs" / "ablations").glob("*.json"))
    if name not in names:
        raise ConfigError(f"{bundle.name} has no ablation {name}", expected=" | ".join(names), fix="name one of these")
    return f"ablations/{name}.json"


def ablation_runs(bundle: Path, overlays: Sequence[str] = (), **settings: Any) -> list[Run]:
    """The full method first, then one run for each overlay in ``configs/ablations/``, by name.

    Args:
        bundle: Folder of the bundle.
        overlays: Of all runs, before that of the ablation.
        settings: Of all runs.

    Raises:
        ConfigError: If the bundle has no ablations.
    """
    names = sorted(path.stem for path in (bundle / "configs" / "ablations").glob("*.json"))
    if not names:
        raise ConfigError(f"{bundle.name} has no ablations", fix="write overlays into its configs/ablations/")
    full = Run("full", tuple(overlays), settings)
    return [full, *(Run(name, (*overlays, f"ablations/{name}.json"), settings) for name in names)]


def perform(bundle: Path, run: Run, output: Path) -> CaseTable:
    """Train and evaluate, unless that is done; a training that was left half way goes on, if it is the same one.

    Args:
        bundle: Folder of the bundle.
        run: What to do.
        output: Folder of the study.

    Returns:
        Scores of the test cases.

    Raises:
        ConfigError: If the folder holds the same run with other settings or data, was not made by a study, or another
            study is at this run.
    """
    with OccupiedFolder(output, run.name):
        return _perform(bundle, run, output)


def _perform(bundle: Path, run: Run, output: Path) -> CaseTable:
    folder = output / run.name
    identity = _identity(bundle, run, output.resolve())
    if (folder / DONE).is_file():
        _refuse_other(folder, DONE, identity)
        logger.info("%s: done before", run.name)
        return load_scores(folder)
    if folder.exists():
        if not (folder / BEGUN).is_file():
            what = f"{folder} was not made by a study, and would be lost"
            raise ConfigError(what, fix="choose another --output, or move that folder away")
        _refuse_other(folder, BEGUN, identity)
    write_json(folder / BEGUN, identity)
    logger.info("%s: training", run.name)
    settings = {**run.settings, "ckpt_dir": str(folder / "models"), "output_dir": str(folder / "eval")}
    _execute(bundle, ["train.json", *run.overlays], {**settings, "resume": True})
    _execute(bundle, ["train.json", *run.overlays, "evaluate.json"], settings)
    write_json(folder / DONE, identity)
    return load_scores(folder)


def _refuse_other(folder: Path, note: str, identity: Mapping[str, Any]) -> None:
    """Refuse a folder whose note tells another identity; what it holds may be days of work."""
    then = json.loads((folder / note).read_text())
    names = sorted({*then, *identity})
    other = [name.removesuffix("_sha256") for name in names if then.get(name) != identity.get(name)]
    if other:
        what = f"{folder} was made with other settings, configs, data or versions"
        where = f"not as in its {note}: {', '.join(other)}"
        raise ConfigError(what, [where], fix="choose another --output, or remove that folder")


def load_scores(folder: Path) -> CaseTable:
    """Scores of the test cases of a finished run.

    Args:
        folder: Of the run.
    """
    return CaseTable.from_rows(json.loads((folder / "eval" / "scores.json").read_text()))


def measure_sets(bundle: Path) -> list[str]:
    """Sets of figures that the bundle's evaluate.json tabulates, in its order.

    Args:
        bundle: Folder of the bundle.
    """
    handlers = json.loads((bundle / "configs" / "evaluate.json").read_text())["validate#handlers"]
    return next(one["measures"] for one in handlers if "measures" in one)


def pool(tables: Mapping[str, CaseTable]) -> CaseTable:
    """All cases of several runs in one table; patients of two runs are two patients.

    Args:
        tables: By name of the run.
    """
    rows = [
        row | {key: row[key] and f"{name} {row[key]}" for key in ("case_id", "patient_id")}
        for name, table in tables.items()
        for row in table.rows()
    ]
    return CaseTable.from_rows(rows)


def _identity(bundle: Path, run: Run, output: Path) -> dict[str, Any]:
    """What makes a run the same run: its configs, settings, data and versions."""
    files = ["train.json", *run.overlays, "evaluate.json"]
    content = b"".join((bundle / "configs" / name).read_bytes() for name in files)
    data = Path(run.settings.get("dataset_dir", bundle / "sample_data"))
    files_of_data = [p for p in sorted(data.rglob("*")) if p.is_file() and not p.is_relative_to(output)]
    listed = [(p.relative_to(data).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in files_of_data]
    return {
        "configs_sha256": hashlib.sha256(content).hexdigest(),
        "data_sha256": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
        "settings": json.loads(json.dumps(run.settings)),
        "software": software_versions(),
    }


def _execute(bundle: Path, overlays: Sequence[str], settings: Mapping[str, Any]) -> None:
    run_configs([bundle / "configs" / name for name in overlays], settings, own_logging=False)
