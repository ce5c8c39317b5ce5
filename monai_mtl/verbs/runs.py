"""Single runs: each shows the plain ``monai.bundle`` command that it stands for, and then does the same."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ..bundle.running import plain_command, run_configs, shown
from ..bundle.settings import check_settings, config_files, merged
from ..cli_settings import bundle_folder

__all__ = ["demo", "evaluate", "train"]

SHORT = "The training was a short run on a few images: it shows that everything works, not how good the method is."


def train(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    recipe: Sequence[str] | str = (),
    json: bool = False,
    **settings: Any,
) -> int:
    """Train a bundle.

    Args:
        bundle: Name or folder of a bundle.
        data: Folder with the data set; the bundle's sample_data by default.
        output: Folder of the run, which gets models/ and eval/; those of the bundle by default.
        recipe: Name of an overlay in the bundle's configs, or a list of names, such as demo or cdd_cesm.
        json: Print what was made as JSON; all else goes to stderr.
        **settings: Overrides of train.json, such as --max_epochs 200.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, recipe or setting.
    """
    folder = bundle_folder(bundle)
    files = config_files(folder, ["train.json", *_overlays(recipe)])
    command, parser = _run(files, _given(data, output, settings), json)
    weights = Path(parser.get_parsed_content("ckpt_dir"))
    _tell({"command": command, "weights": str(weights / "model.pt"), "curves": str(weights / "training.csv")}, json)
    return 0


def evaluate(
    bundle: str,
    data: str | None = None,
    output: str | None = None,
    recipe: Sequence[str] | str = (),
    shipped: bool = False,
    json: bool = False,
    **settings: Any,
) -> int:
    """Score weights on the test cases and write a report.

    Args:
        bundle: As in train.
        data: As there.
        output: As there: the folder of the training, whose models/ are scored.
        recipe: As there: those of the training.
        shipped: Score the weights that come with the bundle, where there are any.
        json: Print the figures as JSON; all else goes to stderr.
        **settings: Overrides, those of the training.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, recipe or setting.
    """
    folder = bundle_folder(bundle)
    names = ["train.json", *_overlays(recipe), "evaluate.json", *(["shipped.json"] if shipped else [])]
    command, parser = _run(config_files(folder, names), _given(data, output, settings), json)
    place = Path(parser.get_parsed_content("output_dir"))
    if json:
        figures = json_format.loads((place / "metrics.json").read_text(encoding="utf-8"))
        _tell({"command": command, "report": str(place / "report.html"), **figures}, json)
    return 0


def demo(bundle: str, json: bool = False) -> int:
    """Train for minutes on the bundle's sample data, evaluate with a report, and predict.

    Args:
        bundle: Name or folder of a bundle.
        json: Print what was made as JSON; all else goes to stderr.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle.
    """
    folder = bundle_folder(bundle)
    steps = [["train.json", "demo.json"], ["train.json", "demo.json", "evaluate.json"]]
    steps.append(["inference.json", "demo_inference.json"])
    if has_weights := (folder / "configs" / "shipped.json").is_file():
        steps.append(["train.json", "evaluate.json", "shipped.json"])
    commands = [_run(config_files(folder, names), {}, json)[0] for names in steps]
    made = {"report": folder / "eval" / "demo" / "report.html"}
    if has_weights:
        made["report of the bundle's own weights"] = folder / "eval" / "shipped" / "report.html"
    made["predictions"] = folder / "predictions" / "demo" / "overview.png"
    sys.stdout.write("" if json else f"\n{SHORT}\n")
    _tell({"command": commands, **{name: str(path) for name, path in made.items()}}, json)
    return 0


def _overlays(recipe: Sequence[str] | str) -> list[str]:
    return [f"{name}.json" for name in (recipe if isinstance(recipe, (list, tuple)) else [recipe])]


def _given(data: str | None, output: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if data is not None:
        given["dataset_dir"] = str(Path(str(data)).expanduser().resolve())
    if output is not None:
        place = Path(str(output)).expanduser().resolve()
        given |= {"ckpt_dir": str(place / "models"), "output_dir": str(place / "eval")}
    return given | dict(settings)


def _run(files: list[Path], settings: dict[str, Any], quiet: bool) -> tuple[str, Any]:
    """Run configs; the command as text, and MONAI's parser. With ``quiet`` nothing reaches stdout."""
    check_settings(merged(files), settings)
    command = shown(plain_command(files, settings))
    with redirect_stdout(sys.stderr if quiet else sys.stdout):
        sys.stdout.write(f"$ {command}\n")
        sys.stdout.flush()
        return command, run_configs(files, settings)


def _tell(made: Mapping[str, Any], json: bool) -> None:
    if json:
        sys.stdout.write(json_format.dumps(made, indent=4) + "\n")
        return
    for name, value in made.items():
        if name != "command":
            sys.stdout.write(f"{name}: {value}\n")
