"""The command ``monai-mtl``: one function a verb, here or in ``monai_mtl.verbs``. Starts without torch.

Exit codes: 0 done, 1 the run failed, 2 a mistake in settings, data or paths, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import json as json_format
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import fire

from .bundle.explain import explained
from .bundle.running import noting, shown
from .bundle.settings import did_you_mean
from .cli_settings import bundle_folder, command_words
from .errors import ConfigError, RunError
from .verbs.about import info, list_bundles
from .verbs.data import check
from .verbs.reports import compare, report
from .verbs.runs import demo, evaluate, train
from .verbs.sharing import audit, pack, verify
from .verbs.skeleton import new
from .verbs.studies import ablate, crossval

__all__ = ["VERBS", "export", "infer", "main"]

INTERRUPTED = 130
SAME = {"infer": {"--engine": "--backend", "--input": "--images"}}
"""Other names of options, by verb."""


def infer(
    bundle: str,
    images: str | Sequence[str],
    output: str,
    weights: str | None = None,
    backend: str = "torch",
    precision: str = "auto",
    recipe: str | None = None,
    json: bool = False,
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
        json: Print what was made as JSON; all else goes to stderr.
        **settings: Overrides of inference.json, such as --image_size "[256, 128]".

    Returns:
        Exit code.
    """
    logging.getLogger("monai_mtl").setLevel(logging.INFO)
    several = [str(image) for image in images] if isinstance(images, (list, tuple)) else str(images)
    options = {"weights": weights, "backend": backend, "precision": precision, "recipe": recipe, **settings}
    usual = {"weights": None, "backend": "torch", "precision": "auto", "recipe": None}
    given = {name: value for name, value in options.items() if name not in usual or value != usual[name]}
    words = command_words("infer", bundle, {"input": several, "output": output, **given})
    with noting(words), redirect_stdout(sys.stderr if json else sys.stdout):
        from .predictor import Predictor  # MONAI logs to what is stdout when it is imported

        predictor = Predictor(bundle_folder(bundle), weights, backend, precision, recipe=recipe, **settings)
        summary = predictor.run(several, str(output))
    if json:
        files = {name: str(Path(str(output)) / name) for name in ("results.json", "report.html", "overview.png")}
        made = {"command": shown(words), "done": len(summary["results"]), "failed": summary["failed"], "files": files}
        sys.stdout.write(json_format.dumps(made, indent=4) + "\n")
    return RunError.exit_code if summary["failed"] else 0


def export(
    bundle: str,
    data: str | None = None,
    weights: str | None = None,
    backend: str = "onnx",
    precision: str = "fp32",
    recipe: str | None = None,
    json: bool = False,
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
        json: Print the files, and what was judged, as JSON; all else goes to stderr.
        **settings: Overrides of train.json that the weights were trained with, such as --image_size "[256, 128]".

    Returns:
        Exit code.
    """
    logging.getLogger("monai_mtl").setLevel(logging.INFO)
    with redirect_stdout(sys.stderr if json else sys.stdout):
        from .exporting import export_bundle

        path = export_bundle(bundle_folder(bundle), weights, backend, precision, data, recipe=recipe, **settings)
    judged = path.with_suffix(".json")
    if json:
        content = json_format.loads(judged.read_text(encoding="utf-8"))
        sys.stdout.write(json_format.dumps({"export": str(path), "judged": content}, indent=4) + "\n")
    else:
        sys.stdout.write(f"{path}\njudged: {judged}\n")
    return 0


VERBS = {
    "list": list_bundles,
    "info": info,
    "check": check,
    "demo": demo,
    "train": train,
    "evaluate": evaluate,
    "infer": infer,
    "crossval": crossval,
    "ablate": ablate,
    "export": export,
    "report": report,
    "compare": compare,
    "new": new,
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
    given = [str(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    words = [word for word in given if word != "--debug"] or ["--help"]
    words = [_known_as(word, SAME.get(words[0], {})) for word in words]
    try:
        _refuse_unknown_verb(words[0])
        code = fire.Fire(VERBS, words, name="monai-mtl", serialize=lambda result: None)
    except fire.core.FireExit as left:  # a verb that takes any setting calls --help a mistake
        code = 0 if {"--help", "-h"} & set(words) else left.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        ours = explained(error)
        if ours is None:
            raise
        if "--debug" in given:
            sys.stderr.write(traceback.format_exc())
        sys.stderr.write(f"error: {ours}\n")
        if "--json" in {word.partition("=")[0] for word in words}:
            sys.stdout.write(json_format.dumps({"error": ours.to_json()}, indent=4) + "\n")
        code = ours.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_unknown_verb(word: str) -> None:
    if word not in VERBS and not word.startswith("-"):
        fix = did_you_mean(word, VERBS) or "name one of these"
        raise ConfigError(f"there is no verb {word}", expected=", ".join(VERBS), fix=fix)


def _known_as(word: str, names: Mapping[str, str]) -> str:
    name, equals, value = word.partition("=")
    return names.get(name, name) + equals + value
