"""``$`` expressions, read with ``ast`` and never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

from .names import Guard, Names
from .rules import ENVIRONMENT, GLOBALS, NETWORK, SAFE_VALUES, SWITCHES, why_dangerous
from .syntax import (
    MODULE,
    REFERENCE,
    REFERENCES,
    fills_memory,
    identifiers,
    is_folder,
    joined_text,
    reference_of,
    shown,
)
from .texts import hidden, path_fault

__all__ = ["Expression"]

PLAIN = (
    *(ast.Expression, ast.Constant, ast.BoolOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.List, ast.Tuple),
    *(ast.Set, ast.Dict, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.keyword),
)
"""Nodes that do nothing but hold others."""

Report = Callable[[str, str, str], None]
"""Takes the kind, what and why of a finding."""


class Expression:
    """The check of one expression.

    Args:
        names: Lists.
        aliases: By name that an import of the bundle binds, what it may be.
        in_scripts: As :class:`Configs` takes it.
        modules: By the identifier of a config's import, or of what holds one, the modules.
        literal: Whether an argument's value, a constant or the identifier of a reference, is safe.
        report: Takes findings.
    """

    def __init__(
        self,
        names: Names,
        aliases: dict[str, set[str]],
        in_scripts: Callable[[str], str | None],
        modules: Mapping[str, set[str]],
        literal: Callable[[str, object, bool], None],
        report: Report,
    ) -> None:
        self.names, self.aliases, self.in_scripts, self.modules = names, aliases, in_scripts, modules
        self.literal, self.report = literal, report

    def check(self, text: str) -> None:
        """Report all that is wrong.

        Args:
            text: Behind the ``$``, with ``::`` and absolute identifiers.
        """
        if reason := hidden(text):
            self.report("text", text, reason)
        for found in sorted(set(REFERENCE.findall(text)), key=len, reverse=True):
            text = text.replace(found, f"{REFERENCES}['{found[1:]}']")  # as MONAI does, inside quotes too
        try:
            tree = ast.parse(text.lstrip(" \t"), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.report("config", text, f"no expression: {error}")
            return
        try:
            self._visit(tree, frozenset())
        except RecursionError:
            self.report("config", text[:80], "nested so deep that it cannot be looked at")
        if any(not name.isascii() for name in identifiers(text, tree)):
            self.report("text", text, "letters that look like others; Python reads some of them as plain ones")

    def _visit(self, node: ast.AST, local: frozenset[str], joined: bool = False) -> None:
        if isinstance(node, (ast.BinOp, ast.JoinedStr)) and (text := joined_text(node)) is not None:
            self._constant(text, joined)
        if isinstance(node, ast.Constant):
            self._constant(node.value, joined)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            self._name(node, local, None)
        elif isinstance(node, ast.Subscript):
            self._subscript(node, local)
        elif isinstance(node, ast.Call):
            self._call(node, local)
        elif isinstance(node, ast.BinOp):
            self._arithmetic(node, local, joined)
        elif isinstance(node, ast.Lambda):
            arguments = node.args
            for default in [*arguments.defaults, *arguments.kw_defaults]:
                if default is not None:
                    self._visit(default, local)
            several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            several += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
            self._visit(node.body, local | {one.arg for one in several})
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self._comprehension(node, local)
        elif isinstance(node, PLAIN):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        self._argument(key.value, value)
            follows = isinstance(node, ast.JoinedStr)
            for i, child in enumerate(ast.iter_child_nodes(node)):
                if not isinstance(child, (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)):
                    self._visit(child, local, joined=joined or (follows and i > 0))
        else:
            self.report("unknown", shown(node), f"{type(node).__name__} has no place in a config")

    def _constant(self, value: object, joined: bool) -> None:
        if isinstance(value, str) and (fault := path_fault(value, joined)):
            self.report(fault[0], value, fault[1])
        if isinstance(value, int) and abs(value) > 10**15:
            self.report("unknown", str(value)[:40], "a number that may fill memory")

    def _arithmetic(self, node: ast.BinOp, local: frozenset[str], joined: bool) -> None:
        left, right = node.left, node.right
        if fills_memory(node):
            self.report("unknown", shown(node), "it may fill memory")
        self._visit(left, local, joined)
        behind = isinstance(node.op, (ast.Add, ast.Div)) and is_folder(left, local)
        self._visit(right, local, behind or joined)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, local: frozenset[str]
    ) -> None:
        for one in node.generators:
            self._visit(one.iter, local)
            targets = [name for name in ast.walk(one.target) if isinstance(name, ast.expr)]
            if not all(isinstance(name, (ast.Name, ast.Tuple, ast.List, ast.Starred)) for name in targets):
                self.report("unknown", shown(one.target), "it sets an attribute or an item")
            local |= {name.id for name in targets if isinstance(name, ast.Name)}
            for condition in one.ifs:
                self._visit(condition, local)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self._visit(part, local)

    def _subscript(self, node: ast.Subscript, local: frozenset[str]) -> None:
        if (reference := reference_of(node)) is not None:
            if reference in self.modules:
                self.report("command", shown(node), "a module handed on, of which anything may be used")
            return
        if "os.environ" in self._paths(node.value, local):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if key not in ENVIRONMENT:
                self.report("file", shown(node), "it reads the environment, where secrets may stand")
            return
        self._visit(node.value, local)
        self._visit(node.slice, local)

    def _name(self, node: ast.Name | ast.Attribute, local: frozenset[str], call: ast.Call | None) -> None:
        paths = self._paths(node, local)
        if not paths:
            if isinstance(node, ast.Attribute):
                self._member(node, node.attr)
                self._visit(node.value, local)
            return
        for path in sorted(paths):
            self._path(node, path, call)

    def _path(self, node: ast.AST, path: str, call: ast.Call | None) -> None:
        """A name of a module, or of something in it, and what follows."""
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
                    self._member(node, member)
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

    def _member(self, node: ast.AST, name: str) -> None:
        if name not in self.names.members:
            if name.startswith("__") or re.match("(gi|cr|ag|tb|co|f|func|im)_", name):
                self.report("command", shown(node), "it leads to the inside of Python, from where all can be reached")
            else:
                self.report("unknown", f".{name} in {shown(node)}", "no list allows this method or attribute")

    def _call(self, node: ast.Call, local: frozenset[str]) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "eval" and (node.args or node.keywords):
            self.report(
                "command", shown(node), "that of a network takes no arguments; that of a table runs text as code"
            )
        if isinstance(node.func, ast.Name) and node.func.id == "setattr" and self._is_switch(node, local):
            return
        if "os.environ.get" in self._paths(node.func, local):
            first = node.args[0] if node.args else None
            if not isinstance(first, ast.Constant) or first.value not in ENVIRONMENT:
                self.report("file", shown(node), "it reads the environment, where secrets may stand")
        elif isinstance(node.func, (ast.Name, ast.Attribute)):
            self._name(node.func, local, node)
        else:
            self._visit(node.func, local)
        for argument in node.args:
            self._visit(argument, local)
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._argument(keyword.arg, keyword.value)
            self._visit(keyword.value, local)

    def _argument(self, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Constant):
            self.literal(name, value.value, True)
        elif isinstance(value, ast.Subscript) and (reference := reference_of(value)) is not None:
            self.literal(name, "@" + reference, True)
        else:
            self.literal(name, shown(value), False)

    def _is_switch(self, node: ast.Call, local: frozenset[str]) -> bool:
        if len(node.args) != 3 or node.keywords or "setattr" in local or "setattr" in self.aliases:
            return False
        place, name, value = node.args
        named = name.value if isinstance(name, ast.Constant) else None
        paths = self._paths(place, local)
        known = len(paths) == 1 and (next(iter(paths)), named) in SWITCHES
        return known and isinstance(value, ast.Constant) and isinstance(value.value, bool)

    def _paths(self, node: ast.AST, local: frozenset[str]) -> set[str]:
        """Full names that a chain of attributes may mean; none where it begins with a value."""
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
