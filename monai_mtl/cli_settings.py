"""What the words of a command mean: which bundle, which configs, which settings. Starts without torch."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .bundle.packed_code import admit
from .bundle.settings import check_settings, config_files, did_you_mean, merged
from .errors import ConfigError
from .registry import find_bundles

__all__ = ["bundle_folder", "command_words", "reading_of", "refuse_unknown", "study_settings"]

QUICK = {"max_epochs": 4, "val_interval": 2}
"""Settings of a study that only shows that all works."""
DECIDED = {
    **dict.fromkeys(("ckpt_dir", "output_dir"), "name the folder of all runs with --output"),
    "resume": "leave it out: a study goes on by itself",
}
BY_FOLD = dict.fromkeys(("fold", "named_split"), "say which with --folds, such as --folds 2")
"""Settings that a study gives to each run itself, and what to do instead."""


def bundle_folder(bundle: str) -> Path:
    """Folder of a bundle.

    Args:
        bundle: Name of one that comes with the package, or a folder.

    Raises:
        ConfigError: If there is none.
    """
    bundle = str(bundle)  # a name of digits alone comes as a number, and so do the others
    folder = Path(bundle)
    if not (folder / "configs" / "train.json").is_file():
        found = {one.name: one.folder for one in find_bundles()}
        if bundle not in found:
            raise ConfigError(
                f"there is no bundle {bundle}",
                expected=" | ".join(found),
                fix=did_you_mean(bundle, found) or "name one of these, or a bundle's folder",
            )
        folder = found[bundle]
    return folder.resolve()


def study_settings(
    folder: Path,
    data: str | None,
    recipe: str | None,
    quick: bool,
    settings: Mapping[str, Any],
    by_fold: bool = False,
) -> tuple[list[str], dict[str, Any]]:
    """Overlays and settings of every run of a study.

    Args:
        folder: Of the bundle.
        data: Folder with a data set; that of the bundle by default.
        recipe: Overlay of all runs, a name in the bundle's ``configs/``.
        quick: Whether the runs only show that all works.
        settings: Overrides of train.json.
        by_fold: Whether each run has a fold of its own.

    Raises:
        ConfigError: If there is no such recipe, the config has no such setting, or the study decides it.
    """
    decided = DECIDED | (BY_FOLD if by_fold else {})
    for name in settings:
        if name in decided:
            raise ConfigError(f"a study takes no --{name}: it gives each run its own", fix=decided[name])
    logging.getLogger("monai_mtl").setLevel(logging.INFO)  # which run, which epoch, how long to go
    overlays = [f"{name}.json" for name in (recipe, "demo" if quick else None) if name]
    check_settings(merged(config_files(folder, ["train.json", *overlays])), settings)
    given = {**(QUICK if quick else {}), **settings}
    return overlays, given if data is None else {"dataset_dir": str(Path(str(data)).expanduser().resolve()), **given}


def reading_of(bundle: str, data: str) -> dict[str, Any]:
    """Arguments of ``load_datalist`` with which the train.json of a bundle reads a data set.

    Args:
        bundle: As :func:`bundle_folder` takes it.
        data: Folder with the data set.

    Raises:
        ConfigError: If there is no such bundle, or a packed one is not what its manifest says.
    """
    from monai.bundle import ConfigParser

    folder = bundle_folder(bundle)
    admit(folder)
    parser = ConfigParser(ConfigParser.load_config_file(folder / "configs" / "train.json"))
    parser["bundle_root"], parser["dataset_dir"] = str(folder), data
    node = parser["datalist"]
    names = [name for name in node if not name.startswith("_") and name not in ("dataset_dir", "output_dir", "check")]
    return {name: parser.get_parsed_content(f"datalist#{name}") for name in names}


def command_words(verb: str, bundle: str, options: Mapping[str, Any]) -> list[str]:
    """Words of a command, to be told in a report.

    Args:
        verb: Such as ``infer``.
        bundle: As it was named.
        options: Those that were given, by name.

    Example:
        >>> command_words("infer", "hds_inbreast", {"input": "a.png", "image_size": [256, 128]})
        ['monai-mtl', 'infer', 'hds_inbreast', '--input', 'a.png', '--image_size', '[256, 128]']
    """
    return ["monai-mtl", verb, bundle, *(str(word) for name, v in options.items() for word in (f"--{name}", v))]


def refuse_unknown(arguments: Mapping[str, Any], function: Any) -> None:
    """Refuse arguments that a function does not take, and classes that are no lists of names.

    Args:
        arguments: By name.
        function: That shall be called with them.

    Raises:
        ConfigError: If one is wrong.
    """
    known = [name for name in inspect.signature(function).parameters if name not in ("dataset_dir", "output_dir")]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        fix = did_you_mean(unknown[0], known) or "use one of these"
        raise ConfigError(f"there is no setting {', '.join(unknown)}", expected=", ".join(known), fix=fix)
    classes = arguments.get("classes")
    if not isinstance(classes, dict) or not all(isinstance(names, (list, tuple)) for names in classes.values()):
        raise ConfigError(
            f"classes are not understood: {classes}", expected='{"seg": ["background", "mass"]}', fix="quote them so"
        )
