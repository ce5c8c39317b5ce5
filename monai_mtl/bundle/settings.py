"""The names of a bundle's settings, told apart from misspelt ones; needs neither torch nor MONAI."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError

__all__ = ["check_settings", "did_you_mean", "merged"]


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """Content of JSON configs, the later ones over the earlier ones, as MONAI's ``load_config_files`` gives it.

    Args:
        files: train.json or inference.json, then overlays, whose keys may lead into it: ``train#trainer#amp``.

    Raises:
        ConfigError: If a file holds no JSON, or a key leads nowhere.
    """
    content: dict[str, Any] = {}
    for file in files:
        try:
            overlay = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file} holds no JSON", [error], fix="correct it") from error
        for name, value in overlay.items():
            *path, last = name.replace("::", "#").split("#")
            node: Any = content
            for part in path:
                node = node[int(part)] if isinstance(node, list) and part.isdigit() else node.get(part)
                if not isinstance(node, (dict, list)):
                    raise ConfigError(f"{file.name}: there is no '{part}' for {name} to change", fix="correct it")
            node[int(last) if isinstance(node, list) else last] = value
    return content


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
            known = list(node) if isinstance(node, dict) else [str(i) for i in range(len(node))]
            if part not in known:
                raise ConfigError(
                    f"there is no setting '{name}'" + (f" (no '{part}' in it)" if part != name else ""),
                    expected=", ".join(k for k in known if not k.startswith("_")) or "nothing below it",
                    fix=did_you_mean(part, known) or "use one of these",
                )
            node = node[part] if isinstance(node, dict) else node[int(part)]
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
