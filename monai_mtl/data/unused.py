"""Image files that lie in a data set and belong to no case."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from .facts import Names
from .findings import Finding, finding
from .masks import mask_files
from .reader import IMAGE_SUFFIXES

__all__ = ["unused_files"]


def unused_files(
    cases: Sequence[dict], names: Names, ignored: Sequence[str] = (), others: Sequence[Path] = ()
) -> list[Finding]:
    """Files with the name of an image below the data folder that no case has as image or mask.

    Args:
        cases: All cases.
        names: With the data folder; secret names are counted and not told.
        ignored: Patterns of names or of paths in the folder.
        others: Files or folders that are no part of the data, such as cases left out and outputs.
    """
    if names.folder is None:
        return []
    used = {str(case["image"]) for case in cases}
    used |= {str(path) for case in cases if "label_seg" in case for path in mask_files(case["label_seg"])}
    apart = [str(path) for path in others]
    faults = []
    for path in sorted(names.folder.rglob("*")):
        inside = path.relative_to(names.folder)
        if not path.name.lower().endswith(IMAGE_SUFFIXES) or any(part.startswith(".") for part in inside.parts):
            continue
        if str(path) in used or str(path.resolve()) in used or not path.is_file():
            continue
        if any(str(path) == one or str(path).startswith(f"{one}/") for one in apart):
            continue
        if not any(fnmatch(path.name, pattern) or fnmatch(inside.as_posix(), pattern) for pattern in ignored):
            shown = "" if names.secret else inside.as_posix()
            faults.append((shown, shown))
    where = "image files in the data folder"
    total = len(used) + len(faults)
    return finding("unused", faults, total, "warning", of=where)
