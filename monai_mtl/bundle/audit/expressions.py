"""``$`` expressions, read with ``ast`` and never run: each node by its kind."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from .dotted_names import DottedNames
from .finding import Report
from .names import Names
from .rules import ENVIRONMENT
from .syntax import REFERENCE, REFERENCES, fills_memory, identifiers, is_folder, joined_text, reference_of, shown
from .texts import hidden, path_fault

__all__ = ["Expression"]

PLAIN = (
    *(ast.Expression, ast.Constant, ast.BoolOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.List, ast.Tuple),
    *(ast.Set, ast.Dict, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.keyword),
)
"""Nodes that do nothing but hold others."""


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
        aliases: Mapping[str, set[str]],
        in_scripts: Callable[[str], str | None],
        modules: Mapping[str, set[str]],
        literal: Callable[[str, object, bool], None],
        report: Report,
    ) -> None:
        self.dotted = DottedNames(names, aliases, in_scripts, report)
        self.modules, self.literal, self.report = modules, literal, report

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
        if "os.environ" in self.dotted.meanings(node.value, local):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if key not in ENVIRONMENT:
                self.report("file", shown(node), "it reads the environment, where secrets may stand")
            return
        self._visit(node.value, local)
        self._visit(node.slice, local)

    def _name(self, node: ast.Name | ast.Attribute, local: frozenset[str], call: ast.Call | None) -> None:
        paths = self.dotted.meanings(node, local)
        if not paths:
            if isinstance(node, ast.Attribute):
                self.dotted.member(node, node.attr)
                self._visit(node.value, local)
            return
        for path in sorted(paths):
            self.dotted.check(node, path, call)

    def _call(self, node: ast.Call, local: frozenset[str]) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "eval" and (node.args or node.keywords):
            self.report(
                "command", shown(node), "that of a network takes no arguments; that of a table runs text as code"
            )
        if isinstance(node.func, ast.Name) and node.func.id == "setattr" and self.dotted.is_switch(node, local):
            return
        if "os.environ.get" in self.dotted.meanings(node.func, local):
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
