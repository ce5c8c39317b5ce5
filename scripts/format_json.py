"""One style for the collection's JSON: 4 spaces, arrays and small objects of scalars on one line.

python scripts/format_json.py          # lists files in another style, exit code 1 if any
python scripts/format_json.py --fix    # rewrites them
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import fire

from monai_mtl.bundle.json_style import render


def main(root: str = ".", fix: bool = False) -> None:
    """Check or rewrite the configs and datalists of all bundles.

    Args:
        root: Folder of the collection.
        fix: Whether to rewrite.
    """
    wrong = []
    for path in sorted(Path(root).glob("bundles/*/**/*.json")):
        if {"eval", "predictions", "models"} & set(path.parts):
            continue
        text = path.read_text()
        styled = render(json.loads(text)) + "\n"
        if styled != text:
            wrong.append(str(path))
            if fix:
                path.write_text(styled)
    for path in wrong:
        print(("rewritten: " if fix else "another style: ") + path)
    if wrong and not fix:
        print("fix: make format")
        sys.exit(1)


if __name__ == "__main__":
    fire.Fire(main)
