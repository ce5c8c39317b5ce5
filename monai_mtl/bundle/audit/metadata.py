"""What programs run of a ``metadata.json``: shapes are evaluated, packages are installed."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from .documents import walk
from .finding import Finding
from .syntax import fills_memory

__all__ = ["metadata_findings"]

SHAPE = re.compile(r"[0-9np+\-*/() ]*")
PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
VERSION = re.compile(r"(?!-)([A-Za-z0-9.+!*<>=~,-]| (?!-))*")
MOST = 10**6
"""Pixels along a side."""
PACKAGES = ("required_packages_version", "optional_packages_version")


def metadata_findings(file: str, document: Mapping[str, Any]) -> list[Finding]:
    """Shapes that are no arithmetic of n and p, and packages from elsewhere than the index.

    Args:
        file: Its name.
        document: Its value.
    """
    found = []
    for place, _, value in walk(document):
        shape = "spatial_shape" in place.split("::")[:-1]
        if shape and isinstance(value, str) and not (SHAPE.fullmatch(value) and _is_small(value)):
            why = "a shape is evaluated; this is no arithmetic of n and p, or of numbers that fill memory"
            found.append(Finding("command", file, place.replace("::", "#"), value, why))
    for key in PACKAGES:
        packages = document.get(key)
        for name, version in packages.items() if isinstance(packages, dict) else ():
            if not PACKAGE.fullmatch(name) or not VERSION.fullmatch(str(version)):
                why = "pip would install it from there"
                found.append(Finding("command", file, f"{key}#{name}", f"{name} {version}", why))
    return found


def _is_small(shape: str) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(shape.strip() or "0", mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    large = any(isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value > MOST for node in nodes)
    return not large and not any(isinstance(node, ast.BinOp) and fills_memory(node) for node in nodes)
