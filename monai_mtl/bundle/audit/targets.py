"""What a config calls by a text: targets, the arguments that decide over them, and texts that MONAI imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from .names import Names
from .rules import BACKENDS, NAMING, NETWORK, SAFE_VALUES, why_dangerous
from .syntax import MODULE
from .texts import relative_id

__all__ = ["Targets"]


class Targets:
    """The check of each ``_target_`` and of the arguments that only some values make safe.

    Args:
        names: Lists.
        values: By identifier, what any of the configs holds there.
        in_scripts: As :class:`Configs` takes it.
        report: Takes the kind, file, place, what and why of a finding.
    """

    def __init__(
        self,
        names: Names,
        values: Mapping[str, list[Any]],
        in_scripts: Callable[[str], str | None],
        report: Callable[[str, str, str, str, str], None],
    ) -> None:
        self.names, self.values, self.in_scripts, self.report = names, values, in_scripts, report

    def target(self, file: str, place: str, value: Any) -> None:
        """Report what is called, and with which arguments, if that is not on the lists.

        Args:
            file: Its name.
            place: Identifier of the ``_target_``.
            value: What stands there.
        """
        self._called(file, place, value)
        self._guarded(file, place, value)

    def _called(self, file: str, place: str, value: Any) -> None:
        if not isinstance(value, str) or value[:1] in ("$", "@", "%"):
            self.report("command", file, place, f"_target_ {value}", "it is computed: what is called cannot be told")
            return
        name = value
        if value.split(".")[0] == "scripts":
            known = self.in_scripts(value)
            if known in (None, MODULE):
                self.report("command", file, place, value, "no class or function of the bundle's scripts")
                return
            if known == "":
                return  # the file itself is a finding
            name = str(known)
        if not self.names.allows(name):
            kind, why = why_dangerous(self.names.resolve(name)[0])
            full = self.names.resolve(name)[0]
            shown = value if full == value or "neither" in why else f"{value}, that is {full}"
            self.report(kind, file, place, shown, why)

    def _guarded(self, file: str, place: str, target: Any) -> None:
        """A target whose arguments decide: what must be given, and that it is called here and not elsewhere."""
        guard = self.names.guard(target) if isinstance(target, str) and self.names.allows(target) else None
        if guard is None:
            return
        parent = place.rpartition("::")[0] + "::"
        if guard.required and parent.removeprefix("::") + guard.required not in self.values:
            network = guard.required in NETWORK
            why = "by default it fetches weights" if network else "by default it may run code of the file"
            what = f"{target} without {guard.required}"
            self.report("network" if network else "pickle", file, place, what, why)
        if "callable" in self.values.get(parent.removeprefix("::") + "_mode_", []):
            self.report("unknown", file, place, f"{target} as a callable", "with other arguments it fetches or imports")

    def argument(self, file: str, place: str, name: str, value: Any, depth: int = 0) -> None:
        """Report an argument that only some values make safe, if it has another; any other argument passes.

        Args:
            file: Its name.
            place: Identifier of the value.
            name: Of the argument.
            value: What stands there; it is followed through references.
            depth: References followed so far.
        """
        if name not in SAFE_VALUES and name not in NAMING:
            return
        if isinstance(value, str) and value.startswith("@") and depth < 8:
            candidates = self.values.get(relative_id(place, value)[1:], [])
            for candidate in candidates:
                self.argument(file, place, name, candidate, depth + 1)
            if candidates:
                return
        if name in SAFE_VALUES:
            if not any(value is safe or (isinstance(safe, str) and value == safe) for safe in SAFE_VALUES[name]):
                kind, why = ("network", "it fetches from a network") if name in NETWORK else ("pickle", "it unpickles")
                if name == "_debug_":
                    kind, why = "command", "it stops in a debugger, which runs what it is told"
                self.report(kind, file, place, f"{name}: {value}", why)
            return
        for one in value if isinstance(value, list) else [value]:
            self._named(file, place, name, one)

    def _named(self, file: str, place: str, name: str, value: Any) -> None:
        """A text that MONAI imports and calls, such as the reader of an image."""
        if value is None or isinstance(value, dict):  # a dictionary is looked at by itself
            return
        if isinstance(value, str) and value.startswith("$"):
            try:
                tree: ast.AST = ast.parse(value[1:].strip(), mode="eval").body
            except (SyntaxError, ValueError):
                tree = ast.Constant(None)
            if isinstance(tree, (ast.Attribute, ast.Name)):
                return  # a class, which the check of the expression looks up
        elif isinstance(value, str):
            candidates = [value, f"{value}.{value.split('.')[-1]}"]
            readers = {n.rsplit(".", 1)[-1].lower() for n in self.names.allowed if n.startswith("monai.data.image_")}
            known = value.lower() in BACKENDS or value.lower() in readers or value.lower() + "reader" in readers
            if "." not in value and (known or value.lower() + "writer" in readers):
                return
            if "." in value and self.names.allows(candidates[0]):
                return
            if value.startswith("scripts.") and self.in_scripts(value) is not None:
                mapped = self.in_scripts(value)
                if mapped == "" or (mapped != MODULE and self.names.allows(str(mapped))):
                    return
        self.report("command", file, place, f"{name}: {value}", "MONAI imports this text and calls it")
