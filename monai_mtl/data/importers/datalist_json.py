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
    sections, wrong = {}, []
    for name in ("training", "validation", "test"):
        cases = content.get(name, []) if isinstance(content, dict) else None
        if not isinstance(cases, list):
            wrong.append(f"{name} is no list")
            cases = []
        # The Decathlon lists its test cases by file name alone.
        sections[name] = [{"image": case} if isinstance(case, str) else case for case in cases]
        for i, case in enumerate(sections[name]):
            if not isinstance(case, dict) or not isinstance(case.get("image"), str):
                wrong.append(f"{name}[{i}] names no image")
    if wrong or not sections["training"]:
        raise DataError(
            f"{path} does not list its cases",
            wrong or ["training is empty"],
            expected='"training": [{"image": "a.png", "label_seg": "m.png", "label_cls": 1, "patient_id": "p1"}, ...]',
            fix="see docs/reference/datalist.md",
        )
    return sections
