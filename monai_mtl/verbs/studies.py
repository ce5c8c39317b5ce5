"""Several trainings that make one table."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ..cli_settings import bundle_folder, study_settings

__all__ = ["ablate", "crossval"]


def crossval(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    folds: Sequence[int] | int = (0, 1, 2, 3, 4),
    recipe: str | None = None,
    ablations: Sequence[str] | str = (),
    quick: bool = False,
    draws: int = 1000,
    json: bool = False,
    **settings: Any,
) -> int:
    """Train and evaluate on each of five folds by patient: three parts train, one selects, one is reported once.

    A study that was stopped goes on with the first fold that is not done. With several GPUs there are as many folds at
    once, each in a process of its own.

    Args:
        bundle: Name or folder of a bundle.
        data: Folder with the data set; the bundle's sample_data by default.
        output: Folder to write to; eval/crossval of the bundle by default.
        folds: Which folds.
        recipe: Name of an overlay in the bundle's configs that fits the data, such as cdd_cesm.
        ablations: Names of overlays in the bundle's configs/ablations, to do the same folds with each; then
            ablations/table.md holds their differences to the whole method, over the cases of all folds.
        quick: A few epochs on small images, to see it work.
        draws: Draws of an interval.
        json: Print the tables as JSON; all else goes to stderr.
        **settings: Overrides of train.json, such as --max_epochs 200.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, recipe, ablation, fold or setting, or the study decides a setting.
    """
    with redirect_stdout(sys.stderr if json else sys.stdout):  # MONAI logs to what is stdout when it is imported
        from ..outputs.study_table import fold_table, variant_table, write_study
        from ..study import ablation_overlay, measure_sets, pool, run_folds
        from ..study_processes import gpus, perform_all

    folder = bundle_folder(bundle)
    overlays, given = study_settings(folder, data, recipe, quick, settings, by_fold=True)
    place = Path(str(output)) if output else folder / "eval" / "crossval"
    chosen: list[Any] = list(folds) if isinstance(folds, (list, tuple)) else [folds]
    names = list(ablations) if isinstance(ablations, (list, tuple)) else [str(ablations)]
    variants = {name: ablation_overlay(folder, name) for name in names}
    runs = run_folds(chosen, overlays, named_split=False, **given)
    title = f"{folder.name}: cross-validation, folds {', '.join(run.name[-1] for run in runs)}"
    with redirect_stdout(sys.stderr if json else sys.stdout):
        tables = perform_all(folder, runs, place, gpus())
    pooled = {"full": pool(tables)}
    lines = write_study(fold_table(tables, pooled["full"], draws, measure_sets(folder)), title, place)
    for name, overlay in variants.items():
        others = run_folds(chosen, (*overlays, overlay), named_split=False, **given)
        with redirect_stdout(sys.stderr if json else sys.stdout):
            pooled[name] = pool(perform_all(folder, others, place / "ablations" / name, gpus()))
    if variants:
        content = variant_table(pooled, draws, measure_sets(folder))
        lines += ["", *write_study(content, f"{title}, and ablations", place / "ablations")]
    return _tell(lines, [place, *([place / "ablations"] if variants else [])], json)


def ablate(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    recipe: str | None = None,
    quick: bool = False,
    draws: int = 1000,
    json: bool = False,
    **settings: Any,
) -> int:
    """Train and evaluate the whole method and each of the bundle's ablations on one split, on several GPUs as crossval.

    Args:
        bundle: As in crossval, and so are the others.
        data: As there.
        output: As there; eval/ablation of the bundle by default.
        recipe: As there.
        quick: As there.
        draws: As there.
        json: As there.
        **settings: As there.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, recipe or setting, the study decides a setting, or the bundle has no
            ablations.
    """
    with redirect_stdout(sys.stderr if json else sys.stdout):  # MONAI logs to what is stdout when it is imported
        from ..outputs.study_table import variant_table, write_study
        from ..study import ablation_runs, measure_sets
        from ..study_processes import gpus, perform_all

    folder = bundle_folder(bundle)
    overlays, given = study_settings(folder, data, recipe, quick, settings)
    place = Path(str(output)) if output else folder / "eval" / "ablation"
    with redirect_stdout(sys.stderr if json else sys.stdout):
        tables = perform_all(folder, ablation_runs(folder, overlays, **given), place, gpus())
    content = variant_table(tables, draws, measure_sets(folder))
    return _tell(write_study(content, f"{folder.name}: ablation", place), [place], json)


def _tell(lines: Sequence[str], places: Sequence[Path], json: bool) -> int:
    if json:
        tables = {str(one / "table.md"): json_format.loads((one / "table.json").read_text()) for one in places}
        sys.stdout.write(json_format.dumps({"tables": tables}, indent=4) + "\n")
    else:
        sys.stdout.write("\n".join(lines) + f"\ntable: {places[0] / 'table.md'}\n")
    return 0
