"""The one style of the collection's JSON: 4 spaces, arrays and small objects of scalars on one line."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["render"]

WIDTH = 140


def render(value: Any, indent: int = 0, prefix: int = 0) -> str:
    """JSON text of a value.

    Args:
        value: What ``json.loads`` returned.
        indent: Depth of the line it starts on.
        prefix: Characters before it on that line.
    """
    flat = json.dumps(value, ensure_ascii=False)
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    simple = not any(isinstance(item, (dict, list)) and item for item in items)
    shallow = simple or (isinstance(value, dict) and all(_is_flat(item) for item in items))
    if not items or (shallow and 4 * indent + prefix + len(flat) <= WIDTH and not _is_root(value, indent)):
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


def _is_flat(value: Any) -> bool:
    """Whether a value is a scalar or holds scalars only."""
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return not any(isinstance(item, (dict, list)) for item in items)


def _is_root(value: Any, indent: int) -> bool:
    """Whether the value is a whole file, which always takes several lines."""
    return indent == 0 and isinstance(value, dict)
