"""Which files of this package a bundle needs, found by reading imports; imports nothing heavy."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError

__all__ = ["PACKAGE", "other_packages", "package_files"]

PACKAGE = Path(__file__).parents[1]


def package_files(names: Iterable[str]) -> list[Path]:
    """Python files behind names of this package: their modules, what those import, and the packages around.

    Args:
        names: As configs write them, such as ``"monai_mtl.networks.YNet"``.

    Returns:
        Paths below the package, in order.

    Raises:
        ConfigError: If a name is not of this package.
    """
    waiting = [_module_of(name) for name in names]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [folder / "__init__.py" for folder in path.parents if PACKAGE in (folder, *folder.parents)]
        waiting += _imports(path)
    return sorted(path.relative_to(PACKAGE) for path in found)


def other_packages(files: Iterable[Path]) -> set[str]:
    """Top-level packages that files import, without the standard library.

    Args:
        files: As :func:`package_files` returns them.
    """
    found = set()
    for file in files:
        for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).split(".")[0])
    return found - set(sys.stdlib_module_names)


def _file(path: Path) -> Path | None:
    """File of a module, given without a suffix."""
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def _module_of(name: str) -> Path:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if parts[0] == PACKAGE.name and (file := _file(PACKAGE.joinpath(*parts[1:length]))):
            return file
    raise ConfigError(f"{name} is no name of {PACKAGE.name}", fix="correct the config")


def _imports(path: Path) -> list[Path]:
    """Files that a file imports; inside this package all imports are relative."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            places = [base, *(base / alias.name for alias in node.names)]
            found += [file for place in places if (file := _file(place)) is not None]
    return found
