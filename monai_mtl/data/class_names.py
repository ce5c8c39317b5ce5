"""Names of classes, as a data set declares them or as the method has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from monai.config import PathLike

from ..errors import DataError

__all__ = ["class_names"]


def class_names(dataset_dir: PathLike, task: str, default: Sequence[str]) -> list[str]:
    """Class names of a task, index 0 first.

    Args:
        dataset_dir: Folder of a data set, or anything else. Its ``dataset.json`` may hold ``"classes": {task: names}``.
        task: Task name, such as ``"seg"``.
        default: Names where the data set declares none.

    Raises:
        DataError: If ``dataset.json`` is no JSON, or what it declares is no list of two or more different names.
    """
    path = Path(dataset_dir).expanduser() / "dataset.json"
    if not path.is_file():
        return list(default)
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}", fix="correct it at the place named") from error
    declared = content.get("classes") if isinstance(content, dict) else None
    names = (declared if isinstance(declared, dict) else {}).get(task, list(default))
    good = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if not good or len(names) < 2:
        raise DataError(
            f"{path} declares classes of '{task}' that cannot be used: {names}",
            expected='two or more different names, such as ["background", "gland"]',
            fix="correct them, or leave them out",
        )
    return names
