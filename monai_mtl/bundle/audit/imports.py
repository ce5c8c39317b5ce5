"""What the imports of a bundle's configs bind, and whether they may."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from .finding import Report
from .names import Names
from .rules import GLOBALS, why_dangerous
from .syntax import imported

__all__ = ["Imports"]

UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)


class Imports:
    """Imports of all configs together, since any of them may be laid over another.

    Args:
        names: Lists.
        in_scripts: As :class:`Configs` takes it.
    """

    def __init__(self, names: Names, in_scripts: Callable[[str], str | None]) -> None:
        self.names, self.in_scripts = names, in_scripts
        self.aliases: dict[str, set[str]] = {}
        """By name that an import binds, what it may be."""
        self.modules: dict[str, set[str]] = {}
        """By the identifier of an import, or of what holds one, the modules."""

    def bind(self, place: str, text: str) -> None:
        """Keep what an expression binds, if it is an import.

        Args:
            place: Its identifier.
            text: Behind the ``$``.
        """
        try:
            statement = imported(text)
        except UNPARSED:
            return
        if statement is None:
            return
        parts = place.split("::")
        for bound, module in _bound(statement):
            self.aliases.setdefault(bound, set()).add(module)
            for length in range(1, len(parts) + 1):
                self.modules.setdefault("::".join(parts[:length]), set()).add(module)

    def check(self, text: str, report: Report) -> bool:
        """Report what an import may not.

        Args:
            text: Of an expression, behind the ``$``.
            report: Takes findings.

        Returns:
            Whether this settles the expression: it is an import, or no Python.
        """
        try:
            statement = imported(text)
        except UNPARSED:
            if "@" in text:
                return False
            report("config", text, "no Python")
            return True
        if statement is None:
            return False
        for bound, module in _bound(statement):
            if bound in GLOBALS and module != GLOBALS[bound]:
                report("command", text, f"{bound} means something else from here on")
            if module.split(".")[0] == "scripts":
                if self.in_scripts(module) is None:
                    report("unknown", text, "the bundle has no such code")
            elif module not in self.names.imports and not self.names.allows(module):
                kind, why = why_dangerous(self.names.resolve(module)[0] if "." in module else module)
                report(kind, text, why)
        return True


def _bound(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and the full name of what it is."""
    for alias in statement.names:
        module = f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else alias.name
        yield alias.asname or alias.name, module
