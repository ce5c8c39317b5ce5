"""Dotted names in an expression: what each may mean, and whether the lists allow that."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

from .finding import Report
from .names import Guard, Names
from .rules import GLOBALS, NETWORK, SAFE_VALUES, SWITCHES, why_dangerous
from .syntax import MODULE, shown

__all__ = ["DottedNames"]


class DottedNames:
    """The check of names and chains of attributes.

    Args:
        names: Lists.
        aliases: By name that an import of the bundle binds, what it may be.
        in_scripts: As :class:`Configs` takes it.
        report: Takes findings.
    """

    def __init__(
        self,
        names: Names,
        aliases: Mapping[str, set[str]],
        in_scripts: Callable[[str], str | None],
        report: Report,
    ) -> None:
        self.names, self.aliases, self.in_scripts, self.report = names, aliases, in_scripts, report

    def meanings(self, node: ast.AST, local: frozenset[str]) -> set[str]:
        """Full names that a chain of attributes may mean; none where it begins with a value.

        Args:
            node: The chain.
            local: Names that the expression itself binds.
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in local:
            return set()
        roots = set(self.aliases.get(node.id, ()))
        if node.id in GLOBALS:
            roots.add(GLOBALS[node.id])
        return {".".join([root, *parts]) for root in roots or {f"builtins.{node.id}"}}

    def check(self, node: ast.AST, path: str, call: ast.Call | None) -> None:
        """Report a name of a module, or of something in it, and what follows, if no list allows it.

        Args:
            node: The chain.
            path: One of its meanings.
            call: The call of it, if it is called.
        """
        parts, known = path.split("."), None
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            if parts[0] == "scripts":
                known = self.in_scripts(name) if length > 1 or len(parts) == 1 else None
                if known is None:
                    continue
                if known == MODULE and length == len(parts):
                    self.report("command", path, "a module handed on, of which anything may be used")
                name = known or name
            if (
                known not in ("", MODULE)
                and name not in self.names.allowed
                and not ("." in name and self.names.allows(name))
            ):
                continue
            for member in parts[length:]:
                if not re.fullmatch("[A-Z][A-Z0-9_]*", member):
                    self.member(node, member)
            guard = self.names.guard(name)
            if guard is not None:
                self._guarded(call or node, call if length == len(parts) else None, guard)
            return
        kind, why = why_dangerous(self.names.resolve(path)[0])
        self.report(kind, path.removeprefix("builtins."), why)

    def _guarded(self, node: ast.AST, call: ast.Call | None, guard: Guard) -> None:
        """A name that is safe with some arguments only: those must stand there, and be told by name."""
        if call is None:
            self.report("unknown", shown(node), "handed on, it may get arguments that fetch, unpickle or import")
            return
        given = {one.arg for one in call.keywords}
        if guard.required and guard.required not in given:
            kind = "network" if guard.required in NETWORK else "pickle"
            why = "it fetches weights" if kind == "network" else "it may run code of the file"
            self.report(kind, shown(node), f"without {guard.required}={SAFE_VALUES[guard.required][0]} {why}")
        unnamed = call.args[guard.positional :]
        plain = [isinstance(one, ast.Constant) and one.value in (False, None) for one in unnamed]
        plain = [fine or isinstance(one, (ast.List, ast.Tuple)) for fine, one in zip(plain, unnamed, strict=True)]
        if not all(plain) or None in given or any(isinstance(one, ast.Starred) for one in call.args):
            self.report("unknown", shown(node), "an argument without a name may make it fetch, unpickle or import")

    def member(self, node: ast.AST, name: str) -> None:
        """Report a method or attribute of an object if no list allows it.

        Args:
            node: Where it is used.
            name: Of the member.
        """
        if name not in self.names.members:
            if name.startswith("__") or re.match("(gi|cr|ag|tb|co|f|func|im)_", name):
                self.report("command", shown(node), "it leads to the inside of Python, from where all can be reached")
            else:
                self.report("unknown", f".{name} in {shown(node)}", "no list allows this method or attribute")

    def is_switch(self, node: ast.Call, local: frozenset[str]) -> bool:
        """Whether a call of ``setattr`` sets what it may.

        Args:
            node: The call.
            local: Names that the expression itself binds.
        """
        if len(node.args) != 3 or node.keywords or "setattr" in local or "setattr" in self.aliases:
            return False
        place, name, value = node.args
        named = name.value if isinstance(name, ast.Constant) else None
        paths = self.meanings(place, local)
        known = len(paths) == 1 and (next(iter(paths)), named) in SWITCHES
        return known and isinstance(value, ast.Constant) and isinstance(value.value, bool)
