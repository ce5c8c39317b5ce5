"""Where the bundle that a config belongs to lies, and the command line of MONAI that tells it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from ..errors import MissingError

__all__ = ["bundle_root", "is_plain_run", "option_values"]


def bundle_root(name: str) -> str:
    """Folder of the bundle, for the key ``bundle_root`` of a config.

    A config cannot know its own path, and MONAI's usual "." means the current folder, wherever that is.
    So, in this order: the bundle of ``--config_file`` in the command line; the current folder, if it is a
    bundle; ``bundles/<name>`` below it. A ``--bundle_root`` in the command line replaces this call.

    Args:
        name: Folder name of the bundle in the collection.

    Returns:
        Absolute path.

    Raises:
        MissingError: If none of them is a bundle.
    """
    candidates = [Path(file).parent.parent for file in option_values("config_file")[:1]]
    candidates += [Path.cwd(), Path.cwd() / "bundles" / name]
    for folder in candidates:
        if (folder / "configs" / "metadata.json").is_file():
            return str(folder.resolve())
    raise MissingError(
        f"cannot find the bundle {name}",
        candidates,
        expected="a folder that holds configs/metadata.json",
        fix="run from the repository root or from the bundle's folder, or add --bundle_root FOLDER",
    )


def is_plain_run() -> bool:
    """Whether this process is ``python -m monai.bundle run``."""
    return "monai" in sys.argv[0] and sys.argv[1:2] == ["run"]


def option_values(name: str) -> list[str]:
    """Values of an option in the command line; a Python list counts as several.

    Args:
        name: Option without dashes.
    """
    values: list[str] = []
    for i, word in enumerate(sys.argv):
        key, equals, value = word.partition("=")
        if key.startswith("--") and key[2:].replace("-", "_") == name:
            text = value if equals else "".join(sys.argv[i + 1 : i + 2])
            values += _as_list(text)
    return values


def _as_list(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [str(item) for item in ast.literal_eval(text)]
        except (SyntaxError, ValueError):
            # Fire also takes unquoted items: [a.json,b.json]
            return [item.strip() for item in text.strip("[]").split(",")]
    return [text] if text else []
