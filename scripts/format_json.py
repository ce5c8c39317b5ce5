"""One style for the collection's JSON: 4 spaces, arrays and small objects of scalars on one line.

python scripts/format_json.py          # lists files in another style, exit code 1 if any
python scripts/format_json.py --fix    # rewrites them
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import fire

WIDTH = 140


def render(value: object, indent: int = 0, prefix: int = 0) -> str:
    """JSON text of a value.

    Args:
        value: What ``json.loads`` returned.
        indent: Depth of the line it starts on.
        prefix: Characters before it on that line.
    """
    flat = json.dumps(value, ensure_ascii=False)
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    simple = not any(isinstance(item, (dict, list)) and item for item in items)
    shallow = simple or (isinstance(value, dict) and all(is_flat(item) for item in items))
    if not items or (shallow and 4 * indent + prefix + len(flat) <= WIDTH and not is_root(value, indent)):
        return flat
    inner, outer = "    " * (indent + 1), "    " * indent
    if isinstance(value, list):
        lines = [inner + render(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(lines) + "\n" + outer + "]"
    lines = []
    for key, item in value.items():
        name = json.dumps(key, ensure_ascii=False) + ": "
        lines.append(inner + name + render(item, indent + 1, len(name)))
    return "{\n" + ",\n".join(lines) + "\n" + outer + "}"


def is_flat(value: object) -> bool:
    """Whether a value is a scalar or holds scalars only."""
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return not any(isinstance(item, (dict, list)) for item in items)


def is_root(value: object, indent: int) -> bool:
    """Whether the value is a whole file, which always takes several lines."""
    return indent == 0 and isinstance(value, dict)


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
