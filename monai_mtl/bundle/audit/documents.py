"""JSON and YAML files as plain values, with everything that two readers could see differently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["Unreadable", "read_document", "walk"]

MOST_NODES = 100_000


class Unreadable(ValueError):
    """A file that is not what its suffix says; the message says why."""


def read_document(content: bytes, suffix: str) -> tuple[Any, list[str]]:
    """The value of a file, and what is odd about how it is written.

    Args:
        content: Of the file.
        suffix: ``"json"``, ``"yaml"`` or ``"yml"``.

    Raises:
        Unreadable: If it cannot be read.
    """
    odd: list[str] = []
    try:
        text = content.decode("utf-8")
        value = _json(text, odd) if suffix == "json" else _yaml(text, odd)
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    except (json.JSONDecodeError, RecursionError, MemoryError) as error:
        raise Unreadable(f"it cannot be parsed: {str(error) or type(error).__name__}") from error
    return value, odd


def _json(text: str, odd: list[str]) -> Any:
    def together(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object; a key that stands twice is noted."""
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                odd.append(f"the key {key} stands twice")
            found[key] = value
        return found

    return json.loads(text, object_pairs_hook=together)


def _yaml(text: str, odd: list[str]) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise Unreadable("YAML needs the package pyyaml, which is not installed") from error
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        return None if root is None else _plain(root, loader, odd, [MOST_NODES], set())
    except yaml.YAMLError as error:
        raise Unreadable(f"it cannot be parsed: {' '.join(str(error).split())}") from error


def _plain(node: Any, loader: Any, odd: list[str], left: list[int], above: set[int]) -> Any:
    left[0] -= 1
    if left[0] < 0 or id(node) in above:
        raise Unreadable("its anchors unfold without end")
    if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
        odd.append(f"the tag {node.tag}")
        return None
    above = above | {id(node)}
    if node.id == "sequence":
        return [_plain(item, loader, odd, left, above) for item in node.value]
    if node.id == "scalar":
        try:
            return loader.construct_object(node)
        except (ValueError, TypeError, OverflowError) as error:
            raise Unreadable(f"it cannot be parsed: {error}") from error
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        value = _plain(value_node, loader, odd, left, above)
        if key_node.tag == "tag:yaml.org,2002:merge":
            for one in value if isinstance(value, list) else [value]:
                found = {**one, **found} if isinstance(one, dict) else found
            continue
        key = str(_plain(key_node, loader, odd, left, above))
        if key in found:
            odd.append(f"the key {key} stands twice")
        found[key] = value
    return found


def walk(value: Any, place: str = "", key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Identifier, last key and value of every node; an overlay's ``+a#b`` is ``a::b``."""
    waiting = [(place, key, value)]
    while waiting:
        place, key, value = waiting.pop()
        yield place, key, value
        if isinstance(value, dict):
            inner = [(str(k), v) for k, v in value.items()]
        elif isinstance(value, list):
            inner = [(str(i), v) for i, v in enumerate(value)]
        else:
            continue
        for name, item in reversed(inner):
            name = name.replace("#", "::")
            name = name.removeprefix("+") if not place else name
            last = name.rsplit("::", 1)[-1]
            waiting.append((f"{place}::{name}" if place else name, last if isinstance(value, dict) else key, item))
