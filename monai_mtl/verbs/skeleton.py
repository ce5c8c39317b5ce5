"""A bundle to begin with."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path

from ..bundle.running import short_path
from ..bundle.skeleton import FAILING, MARK, make_skeleton
from ..cli_settings import bundle_folder

__all__ = ["new"]


def new(name: str, like: str, json: bool = False) -> int:
    """Begin a bundle: a copy of another one that runs at once, with what has to be replaced marked.

    Args:
        name: Of the new bundle, such as method_dataset.
        like: Name or folder of the bundle that is copied.
        json: Print what was made, and what is to do, as JSON.

    Returns:
        Exit code.

    Raises:
        ConfigError: If the name cannot be a bundle's or is taken, or there is no bundle to copy.
        MissingError: If the current folder has no bundles/.
    """
    folder = make_skeleton(str(name), bundle_folder(like), Path("bundles"))
    marked = [file for file in sorted(folder.rglob("*")) if file.suffix in (".json", ".md", ".txt")]
    marks = {short_path(file): file.read_text(encoding="utf-8").count(MARK) for file in marked}
    marks = {file: count for file, count in marks.items() if count}
    failing = [test.format(name=name) for test in FAILING]
    if json:
        made = {"bundle": short_path(folder), "mark": MARK, "marks": marks, "failing_tests": failing}
        sys.stdout.write(json_format.dumps(made, indent=4) + "\n")
        return 0
    sys.stdout.write(f"{short_path(folder)} runs as {like} does. To replace, each marked {MARK}:\n")
    sys.stdout.write("".join(f"  {file}: {count}\n" for file, count in marks.items()))
    sys.stdout.write("These tests fail until then, until it has a state, and until README.md and mkdocs.yml name it:\n")
    sys.stdout.write("".join(f"  {test}\n" for test in failing))
    sys.stdout.write("Next: docs/how-to/add-a-bundle.md; make format; pytest tests/bundles -k " + f"{name}\n")
    return 0
