"""What the shape of an expression tells, whatever its names mean."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable

__all__ = [
    "MODULE",
    "REFERENCE",
    "REFERENCES",
    "fills_memory",
    "identifiers",
    "imported",
    "is_folder",
    "joined_text",
    "reference_of",
    "shown",
]

MODULE = "<module>"
"""What a name below ``scripts`` is that means a file or folder."""
REFERENCES = "__local_refs"
REFERENCE = re.compile(r"@(?:\w*)(?:::\w*)*")


def imported(text: str) -> ast.Import | ast.ImportFrom | None:
    """The import that MONAI does for an expression, if it is one: the first statement, the rest is ignored.

    Args:
        text: Behind the ``$``.

    Raises:
        SyntaxError: If the text is no Python.
        ValueError: If it holds null bytes.
    """
    first = next(iter(ast.parse(text).body), None)
    return first if isinstance(first, (ast.Import, ast.ImportFrom)) else None


def is_folder(node: ast.expr, local: frozenset[str]) -> bool:
    """Whether something other than a bare constant stands there, so that what follows is below it."""
    while True:
        if isinstance(node, ast.Subscript) and reference_of(node) is not None:
            return True
        if isinstance(node, ast.BinOp):
            node = node.left
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and shown(node.func) in ("str", "os.path.join") and node.args:
            node = node.args[0]
        else:
            break
    return (isinstance(node, ast.Name) and node.id in local) or (isinstance(node, ast.Constant) and bool(node.value))


def fills_memory(node: ast.BinOp) -> bool:
    """Whether an operation makes a huge number, or a long text or list, out of short constants."""
    left, right = node.left, node.right
    if isinstance(node.op, (ast.Pow, ast.LShift)):
        sizes = [one.value for one in ast.walk(right) if isinstance(one, ast.Constant)]
        large = any(isinstance(size, (int, float)) and size > 64 for size in sizes)
        return large or any(isinstance(one, ast.BinOp) for one in ast.walk(right))
    if not isinstance(node.op, ast.Mult):
        return False
    sequences = (ast.List, ast.Tuple, ast.JoinedStr)
    held = [isinstance(one, sequences) or isinstance(getattr(one, "value", 0), (str, bytes)) for one in (left, right)]
    factors = [one for side, is_held in zip((left, right), held, strict=True) if not is_held for one in ast.walk(side)]
    large = any(isinstance(one, ast.Constant) and isinstance(one.value, int) and one.value > 10**6 for one in factors)
    return any(held) and (large or any(isinstance(one, (ast.Pow, ast.LShift)) for one in factors))


def joined_text(node: ast.AST) -> str | None:
    """The text that constants make together, by ``+`` or in an f-string; None where anything else has a part in it."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.FormattedValue):
        return joined_text(node.value) if node.conversion < 0 and node.format_spec is None else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [joined_text(node.left), joined_text(node.right)]
    elif isinstance(node, ast.JoinedStr):
        parts = [joined_text(part) for part in node.values]
    else:
        return None
    return None if None in parts else "".join(part for part in parts if part)


def reference_of(node: ast.Subscript) -> str | None:
    """Identifier of a reference that MONAI has put into an expression."""
    named = isinstance(node.value, ast.Name) and node.value.id == REFERENCES
    return str(node.slice.value) if named and isinstance(node.slice, ast.Constant) else None


def identifiers(text: str, tree: ast.AST) -> Iterable[str]:
    """Names as they are written, not as Python normalises them."""
    constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    for constant in sorted(constants, key=len, reverse=True):
        text = text.replace(constant, "")
    return [unicodedata.normalize("NFC", word) for word in re.findall(r"\w+", text)]


def shown(node: ast.AST) -> str:
    """Source of a node, with references as they are written."""
    try:
        text = ast.unparse(node)
        return re.sub(REFERENCES + r"\['([\w:]*)'\]", lambda found: "@" + found[1].replace("::", "#"), text)
    except (ValueError, RecursionError):
        return type(node).__name__
