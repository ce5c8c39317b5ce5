"""A folder with ``dataset.json``, the datalist of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
from pathlib import Path

from ...errors import DataError

__all__ = ["LAYOUT", "matches", "read"]

LAYOUT = "dataset.json with a list 'training' (and 'validation', 'test')"


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "dataset.json").is_file()


def read(folder: Path) -> dict[str, list[dict]]:
    """Cases by section, as written.

    Raises:
        DataError: If the file is no JSON or has no list of cases.
    """
    path = folder / "dataset.json"
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON: {error}", fix="correct it at the place named") from error
    sections = {name: content.get(name, []) for name in ("training", "validation", "test")}
    wrong = [name for name, cases in sections.items() if not isinstance(cases, list)]
    wrong += [f"{name}[{i}]" for name, cases in sections.items() for i, case in enumerate(cases) if "image" not in case]
    if wrong or not sections["training"]:
        raise DataError(
            f"{path} does not list its cases",
            wrong or ["training is empty"],
            expected='"training": [{"image": "a.png", "label_seg": "m.png", "label_cls": 1, "patient_id": "p1"}, ...]',
            fix="see docs/reference/datalist.md",
        )
    return sections
