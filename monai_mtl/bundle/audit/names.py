"""Which names a bundle may use: exact ones, with default deny."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, MissingError
from .rules import MODULES

__all__ = ["Guard", "Names", "load_names"]

HERE = Path(__file__).parent
PARTS = ("callables", "members", "imports", "code")
EXACT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Guard:
    """With which arguments a name is safe.

    Args:
        positional: How many arguments may stand without a name.
        required: Argument that must be given, since its default is not safe.
    """

    positional: int
    required: str = ""


@dataclass
class Names:
    """The lists.

    Args:
        allowed: Full names by which a class, function or value may be used, with a guard where one is needed.
        bare: Modules of MONAI that define a bare name.
        members: Methods and attributes of objects that an expression may use.
        imports: Modules that may be imported.
        code: Digests of code that the user has read.
    """

    allowed: dict[str, Guard | None] = field(default_factory=dict)
    bare: dict[str, list[str]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    code: set[str] = field(default_factory=set)

    def resolve(self, name: str) -> list[str]:
        """Full names of what MONAI could find by a name; several where modules share it.

        Args:
            name: As a ``_target_`` has it: bare, with its module, or with a package that shows it again.
        """
        package, dot, last = name.rpartition(".")
        places = self.bare.get(last, [])
        if not dot:
            return [f"{place}.{name}" for place in places] or [f"builtins.{name}"]
        found = [f"{place}.{last}" for place in places if place == package or place.startswith(package + ".")]
        return found if package.split(".")[0] == "monai" and found else [name]

    def allows(self, name: str) -> bool:
        """Whether all that a name could be is on the list."""
        return name in self.allowed or all(full in self.allowed for full in self.resolve(name))

    def guard(self, name: str) -> Guard | None:
        """With which arguments an allowed name is safe; ``None`` for any."""
        if name in self.allowed:
            return self.allowed[name]
        return next((self.allowed[full] for full in self.resolve(name) if self.allowed.get(full)), None)


def load_names(path: str | Path | None = None) -> Names:
    """The lists of this package, and those of a file of the user's.

    Args:
        path: JSON with any of "callables", "members", "imports" (exact names) and "code" (SHA-256 of files).

    Raises:
        MissingError: If there is no such file.
        ConfigError: If it is not such a file, or holds a pattern in place of a name.
    """
    names = Names()
    for module, words in _listed(HERE / "allowed.txt").items():
        names.imports |= {".".join(module.split(".")[: i + 1]) for i in range(module.count(".") + 1)}
        for word in words:
            name, _, mark = word.partition(":")
            positional, _, required = mark.partition("!")
            names.allowed[f"{module}.{name}"] = Guard(int(positional), required) if mark else None
    for module, words in _listed(HERE / "monai_names.txt").items():
        for word in words:
            names.bare.setdefault(word, []).append(module)
    names.members |= set((HERE / "members.txt").read_text().partition("\n\n")[2].split())
    names.imports |= MODULES
    if path is not None:
        given = _read(Path(path))
        names.allowed |= dict.fromkeys(given.get("callables", []), None)
        names.members |= set(given.get("members", []))
        names.imports |= set(given.get("imports", []))
        names.code |= {digest.lower() for digest in given.get("code", [])}
    return names


def _listed(path: Path) -> dict[str, list[str]]:
    """Names by module: a module stands at the start of a line, its names are indented."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith(" "):
            found[next(reversed(found))] += line.split()
        elif line and not line.startswith("#"):
            found.setdefault(line.strip(), [])
    return found


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise MissingError(f"there is no {path}", fix="correct --allow")
    fix = 'write {"callables": ["package.module.Name"], "members": [], "imports": [], "code": ["<sha256>"]}'
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is no JSON: {error}", fix=fix) from error
    if not isinstance(given, dict) or set(given) - set(PARTS):
        raise ConfigError(f"{path} holds something else", expected=" | ".join(PARTS), fix=fix)
    for part, words in given.items():
        pattern = re.compile("[0-9a-fA-F]{64}") if part == "code" else EXACT
        wrong = [w for w in words if not isinstance(w, str) or not pattern.fullmatch(w)] if _texts(words) else [words]
        if wrong:
            raise ConfigError(f"{path}: {part} must be exact names, without patterns", wrong, fix=fix)
    return given


def _texts(words: object) -> bool:
    return isinstance(words, list)
