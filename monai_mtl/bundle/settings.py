"""A bundle's configs, and its settings told apart from misspelt ones; needs neither torch nor MONAI."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .manifest import check_manifest

__all__ = ["check_settings", "config_files", "did_you_mean", "merged", "put_setting"]


def config_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Configs of a bundle by name.

    Args:
        folder: Of the bundle.
        names: Of files in its ``configs/``.

    Raises:
        ConfigError: If there is no such file, or a packed bundle is not what its manifest says.
    """
    check_manifest(folder)
    files = [folder / "configs" / name for name in names]
    for file in files:
        if not file.is_file():
            known = sorted(one.stem for one in file.parent.glob("*.json") if one.stem != "metadata")
            fix = did_you_mean(file.stem, known) or "name one of these"
            raise ConfigError(f"{folder.name} has no recipe {file.stem}", expected=", ".join(known), fix=fix)
    return files


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """Content of JSON configs, the later ones over the earlier ones, as MONAI's ``load_config_files`` gives it.

    Args:
        files: train.json or inference.json, then overlays, whose keys may lead into it: ``train#trainer#amp``. One
            with a ``+`` before it adds to the dictionary or list that is there.

    Raises:
        ConfigError: If a file holds no JSON object, a key leads nowhere, or what is there cannot be added to.
    """
    content: dict[str, Any] = {}
    for file in files:
        try:
            overlay = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file} holds no JSON", [error], fix="correct it") from error
        if not isinstance(overlay, dict):
            what = f"{file} is no config: it holds a {type(overlay).__name__}"
            raise ConfigError(what, expected='an object of settings: {"max_epochs": 3}', fix="correct it")
        for name, value in overlay.items():
            put_setting(content, name, value, file)
    return content


def put_setting(config: dict[str, Any], name: str, value: Any, file: Path) -> None:
    """Set what a name of an overlay leads to; with a ``+`` before it, add to what is there.

    Args:
        config: To change.
        name: Such as ``train#trainer#amp``.
        value: New one.
        file: That says so.

    Raises:
        ConfigError: If the name leads nowhere, or what is there cannot be added to.
    """
    *path, last = name.removeprefix("+").replace("::", "#").split("#")
    node: Any = config
    for part in path:
        node = node[_existing(node, part, name, file)]
    key = last if isinstance(node, dict) else _existing(node, last, name, file)
    if not name.startswith("+") or last not in _names(node):
        node[key] = value
    elif isinstance(node[key], dict) and isinstance(value, dict):
        node[key].update(value)
    elif isinstance(node[key], list) and isinstance(value, list):
        node[key].extend(value)
    else:
        raise ConfigError(
            f"{file.name}: {name} adds a {type(value).__name__} to a {type(node[key]).__name__}",
            expected="a dictionary to a dictionary, or a list to a list",
            fix=f"correct the value, or write {name[1:]} to replace what is there",
        )


def check_settings(config: dict, names: Iterable[str]) -> None:
    """Refuse names that a config does not have.

    Args:
        config: Content of the config files.
        names: Settings as written in a command line: ``max_epochs``, ``train#trainer#amp``. A new argument
            of a component (a dictionary with ``_target_``) is allowed, since the component checks it.

    Raises:
        ConfigError: At the first unknown name, with the nearest known ones.
    """
    for name in names:
        node: Any = config
        for part in name.replace("::", "#").split("#"):
            if isinstance(node, dict) and "_target_" in node:
                break
            known = _names(node)
            if part not in known:
                raise ConfigError(
                    f"there is no setting '{name}'" + (f" (no '{part}' in it)" if part != name else ""),
                    expected=", ".join(k for k in known if not k.startswith("_")) or "nothing below it",
                    fix=did_you_mean(part, known) or "use one of these",
                )
            node = node[_key(node, part)]
            if not isinstance(node, (dict, list)):
                break


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest of some names.

    Args:
        name: As it was given.
        known: Names that there are.

    Returns:
        A question, or nothing where none is near.

    Example:
        >>> did_you_mean("max_epoch", ["seed", "max_epochs"])
        'did you mean max_epochs?'
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else ""


def _existing(node: Any, part: str, name: str, file: Path) -> str | int:
    known = _names(node)
    if part not in known:
        raise ConfigError(
            f"{file.name}: there is no '{part}' for {name} to change",
            expected=", ".join(known) or "nothing below it",
            fix=did_you_mean(part, known) or "correct the name",
        )
    return _key(node, part)


def _names(node: Any) -> list[str]:
    """What leads on from a value of a config: keys of a dictionary, positions of a list, nothing from a scalar."""
    if isinstance(node, dict):
        return list(node)
    return [str(i) for i in range(len(node))] if isinstance(node, list) else []


def _key(node: dict[str, Any] | list[Any], part: str) -> str | int:
    return part if isinstance(node, dict) else int(part)
