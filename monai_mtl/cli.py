"""The command ``monai-mtl``: one function a verb.

Exit codes: 0 done, 1 the run failed, 2 a mistake in settings, data or paths, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import json as json_format
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fire

from .bundle.verbs import audit, pack, verify
from .cli_settings import bundle_folder, reading_of, refuse_unknown, study_settings
from .errors import MonaiMtlError, RunError, own_error

__all__ = ["ablate", "check", "crossval", "export", "infer", "main"]

INTERRUPTED = 130


def check(
    bundle: str | dict,
    data: str,
    output: str | None = None,
    json: bool = False,
    write_hashes: str | None = None,
    **settings: Any,
) -> int:
    """Look at a whole data set at once, before anything is trained on it.

    Args:
        bundle: Name or folder of a bundle, whose train.json says how the set is read; or the classes, such as
            '{"seg": ["background", "mass"], "cls": ["no mass", "mass"]}'.
        data: Folder with the data set.
        output: Folder for check.json and check.png.
        json: Print the report as JSON.
        write_hashes: File to write a datalist with the digests of all files to, if nothing is wrong.
        **settings: Arguments of load_datalist that replace those of the bundle, such as --fold 1.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, or classes or settings are not understood.
        DataError: If there is no data set.
    """
    from .data import examine_dataset
    from .data.hashes import write_datalist

    given = {"classes": bundle} if isinstance(bundle, dict) else reading_of(str(bundle), str(data))
    arguments = given | settings
    refuse_unknown(arguments, examine_dataset)
    sections, report = examine_dataset(str(data), **{**arguments, "output_dir": output})
    if json:
        sys.stdout.write(json_format.dumps(report.to_json(), indent=4) + "\n")
    else:
        for one in report.findings:
            sys.stdout.write(f"{one.severity}: {one.text()}\n")
        summary = f"{report.total} cases, {len(report.errors)} kinds of errors, {len(report.warnings)} of warnings"
        sys.stdout.write(summary + (f"; details: {report.details}" if report.details else "") + "\n")
    if report.errors:
        return 2
    if write_hashes is not None:
        write_datalist(sections, str(data), write_hashes)
    return 0


def crossval(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    folds: Sequence[int] | int = (0, 1, 2, 3, 4),
    recipe: str | None = None,
    ablations: Sequence[str] | str = (),
    quick: bool = False,
    draws: int = 1000,
    **settings: Any,
) -> int:
    """Train and evaluate on each of five folds by patient: three parts train, one selects, one is reported once.

    A study that was stopped goes on with the first fold that is not done.

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
        **settings: Overrides of train.json, such as --max_epochs 200.

    Returns:
        Exit code.
    """
    from .outputs.study_table import fold_table, variant_table, write_study
    from .study import ablation_overlay, measure_sets, perform, pool, run_folds

    folder = bundle_folder(bundle)
    overlays, given = study_settings(folder, data, recipe, quick, settings)
    place = Path(output) if output else folder / "eval" / "crossval"
    chosen = [folds] if isinstance(folds, int) else list(folds)
    names = [ablations] if isinstance(ablations, str) else list(ablations)
    variants = {name: ablation_overlay(folder, name) for name in names}
    runs = run_folds(chosen, overlays, named_split=False, **given)
    title = f"{folder.name}: cross-validation, folds {', '.join(run.name[-1] for run in runs)}"
    tables = {run.name: perform(folder, run, place) for run in runs}
    pooled = {"full": pool(tables)}
    lines = write_study(fold_table(tables, pooled["full"], draws, measure_sets(folder)), title, place)
    for name, overlay in variants.items():
        others = run_folds(chosen, (*overlays, overlay), named_split=False, **given)
        pooled[name] = pool({run.name: perform(folder, run, place / "ablations" / name) for run in others})
    if variants:
        content = variant_table(pooled, draws, measure_sets(folder))
        lines += ["", *write_study(content, f"{title}, and ablations", place / "ablations")]
    return _tell(lines, place)


def ablate(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    recipe: str | None = None,
    quick: bool = False,
    draws: int = 1000,
    **settings: Any,
) -> int:
    """Train and evaluate the whole method and each of the bundle's ablations on one split.

    Args:
        bundle: As in crossval, and so are the others.
        data: As there.
        output: As there; eval/ablation of the bundle by default.
        recipe: As there.
        quick: As there.
        draws: As there.
        **settings: As there.

    Returns:
        Exit code.
    """
    from .outputs.study_table import variant_table, write_study
    from .study import ablation_runs, measure_sets, perform

    folder = bundle_folder(bundle)
    overlays, given = study_settings(folder, data, recipe, quick, settings)
    place = Path(output) if output else folder / "eval" / "ablation"
    tables = {run.name: perform(folder, run, place) for run in ablation_runs(folder, overlays, **given)}
    content = variant_table(tables, draws, measure_sets(folder))
    return _tell(write_study(content, f"{folder.name}: ablation", place), place)


def infer(
    bundle: str,
    images: str | Sequence[str],
    output: str,
    weights: str | None = None,
    backend: str = "torch",
    precision: str = "auto",
    recipe: str | None = None,
    **settings: Any,
) -> int:
    """Predict images with reading, network and writing at the same time; the files are those of inference.json.

    Args:
        bundle: Name or folder of a bundle.
        images: An image, a folder of images, or a list of files.
        output: Folder to write to.
        weights: Weights file; that of inference.json by default.
        backend: torch; or onnx or openvino, after export.
        precision: auto, fp32, bf16, fp16; with openvino also int8.
        recipe: Name of an overlay on inference.json in the bundle's configs; shipped_inference takes the weights that
            come with the bundle, where there are any.
        **settings: Overrides of inference.json, such as --image_size "[256, 128]".

    Returns:
        Exit code.
    """
    from .predictor import Predictor

    logging.getLogger("monai_mtl").setLevel(logging.INFO)
    predictor = Predictor(bundle_folder(bundle), weights, backend, precision, recipe=recipe, **settings)
    several = [str(image) for image in images] if isinstance(images, (list, tuple)) else str(images)
    return RunError.exit_code if predictor.run(several, str(output))["failed"] else 0


def export(
    bundle: str,
    data: str | None = None,
    weights: str | None = None,
    backend: str = "onnx",
    precision: str = "fp32",
    recipe: str | None = None,
    **settings: Any,
) -> int:
    """Write a trained network as ONNX or OpenVINO beside its weights, if labelled images show that it answers alike.

    Args:
        bundle: Name or folder of a bundle.
        data: Folder with a labelled data set of at least 60 images.
        weights: Weights file; models/model.pt of the bundle by default.
        backend: onnx or openvino.
        precision: fp32; with openvino also bf16 or int8.
        recipe: Name of an overlay on train.json that the weights were trained with, such as cdd_cesm.
        **settings: Overrides of train.json that the weights were trained with, such as --image_size "[256, 128]".

    Returns:
        Exit code.
    """
    from .exporting import export_bundle

    logging.getLogger("monai_mtl").setLevel(logging.INFO)
    path = export_bundle(bundle_folder(bundle), weights, backend, precision, data, recipe=recipe, **settings)
    sys.stdout.write(f"{path}\njudged: {path.with_suffix('.json')}\n")
    return 0


VERBS = {
    "check": check,
    "crossval": crossval,
    "ablate": ablate,
    "infer": infer,
    "export": export,
    "audit": audit,
    "pack": pack,
    "verify": verify,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a verb and leave with its exit code.

    Args:
        arguments: Words after the command; those of the process by default.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = fire.Fire(VERBS, words, name="monai-mtl", serialize=lambda result: None)
    except fire.core.FireExit as left:  # a verb that takes any setting calls --help a mistake
        code = 0 if {"--help", "-h"} & set(words) else left.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (MonaiMtlError, RuntimeError, ValueError, OSError) as error:
        ours = own_error(error)
        if ours is None:
            raise
        sys.stderr.write(f"error: {ours}\n")
        code = ours.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _tell(lines: Sequence[str], place: Path) -> int:
    sys.stdout.write("\n".join(lines) + f"\ntable: {place / 'table.md'}\n")
    return 0
