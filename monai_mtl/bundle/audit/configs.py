"""Configs of a bundle: each target, expression, import, macro, path and argument."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from .documents import walk
from .expressions import Expression
from .finding import Finding
from .metadata import metadata_findings
from .names import Names
from .rules import BACKENDS, GLOBALS, NAMING, NETWORK, SAFE_VALUES, why_dangerous
from .syntax import MODULE, imported
from .texts import hidden, path_fault, relative_id, turned

__all__ = ["Configs"]

COMMENTS = {"_desc_"}
MODES = ("default", "callable")
META = re.compile(r"[@%]_meta_((?:::\w+)*)")
"""A use of metadata.json, as MONAI has it in every config."""
MACRO_FILE = re.compile(r"(.*\.(?:json|yaml|yml))(?=(?:::.*)|$)", re.IGNORECASE)


class Configs:
    """All configs of a bundle together, since any of them may be laid over another.

    Args:
        documents: Values by file name.
        names: Lists.
        files: Names of all files of the bundle.
        in_scripts: For a target in the bundle's own code, whether it is a class or function that is defined there,
            and by which full name the lists may know it.
    """

    def __init__(
        self,
        documents: Mapping[str, Any],
        names: Names,
        files: set[str],
        in_scripts: Callable[[str], str | None],
    ) -> None:
        self.documents, self.names, self.files, self.in_scripts = documents, names, files, in_scripts
        self.found: dict[Finding, None] = {}
        self.values: dict[str, list[Any]] = {}
        self.aliases: dict[str, set[str]] = {}
        self.modules: dict[str, set[str]] = {}
        self.facts: dict[str, dict[str, tuple[str, str]]] = {}
        for file, document in documents.items():
            for place, _, value in walk(document):
                if _is_free(file) and isinstance(value, str) and (fault := path_fault(value)):
                    self.facts.setdefault(file, {})[place] = fault
                self.values.setdefault(place, []).append(value)
                if isinstance(value, str) and value.startswith("$") and "import" in value:
                    self._bind(place, value[1:])

    def findings(self) -> list[Finding]:
        """What is wrong, file by file."""
        for file, document in self.documents.items():
            for place, key, value in walk(document):
                self._check(file, place, key, value, _is_free(file))
            if _is_metadata(file) and isinstance(document, dict):
                self.found |= dict.fromkeys(metadata_findings(file, document))
        return list(self.found)

    def _add(self, kind: str, file: str, place: str, what: str, why: str) -> None:
        self.found[Finding(kind, file, place.replace("::", "#"), what, why)] = None

    def _check(self, file: str, place: str, key: str, value: Any, free: bool) -> None:
        if reason := hidden(key):
            self._add("text", file, place, key, reason)
        if key == "_target_":
            self._target(file, place, value)
            self._guarded(file, place, value)
        elif key == "_mode_" and value not in MODES:
            why = "debug stops in a debugger, which runs what it is told" if value == "debug" else "it is computed"
            self._add("command", file, place, f"_mode_ {value}", why)
        elif key in SAFE_VALUES or key in NAMING:
            self._argument(file, place, key, value)
        if isinstance(value, str):
            self._string(file, place, key, value, free)

    def _string(self, file: str, place: str, key: str, value: str, free: bool) -> None:
        for found in META.findall(relative_id(place, value)):
            self._borrowed(file, place, value, [one for one in self.facts if _is_metadata(one)], found)
        if value.startswith("$"):
            self._expression(file, place, relative_id(place, value)[1:])
            return
        if value.startswith("%"):
            self._macro(file, place, relative_id(place, value)[1:])
        if value[:1] in ("@", "%") and relative_id(place, value)[1:] in self.modules:
            self._add("command", file, place, value, "a module handed on, of which anything may be used")
        if key in COMMENTS:
            if reason := turned(value):
                self._add("text", file, place, value, reason)
            return
        if reason := hidden(value):
            self._add("text", file, place, value, reason)
        if not free and key != "_target_" and (fault := path_fault(value)):
            self._add(fault[0], file, place, value, fault[1])

    def _target(self, file: str, place: str, value: Any) -> None:
        if not isinstance(value, str) or value[:1] in ("$", "@", "%"):
            self._add("command", file, place, f"_target_ {value}", "it is computed: what is called cannot be told")
            return
        name = value
        if value.split(".")[0] == "scripts":
            known = self.in_scripts(value)
            if known in (None, MODULE):
                self._add("command", file, place, value, "no class or function of the bundle's scripts")
                return
            if known == "":
                return  # the file itself is a finding
            name = str(known)
        if not self.names.allows(name):
            kind, why = why_dangerous(self.names.resolve(name)[0])
            full = self.names.resolve(name)[0]
            shown = value if full == value or "neither" in why else f"{value}, that is {full}"
            self._add(kind, file, place, shown, why)

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
            self._add("network" if network else "pickle", file, place, what, why)
        if "callable" in self.values.get(parent.removeprefix("::") + "_mode_", []):
            self._add("unknown", file, place, f"{target} as a callable", "with other arguments it fetches or imports")

    def _argument(self, file: str, place: str, name: str, value: Any, depth: int = 0) -> None:
        """An argument that only some values make safe, followed through references."""
        if isinstance(value, str) and value.startswith("@") and depth < 8:
            candidates = self.values.get(relative_id(place, value)[1:], [])
            for candidate in candidates:
                self._argument(file, place, name, candidate, depth + 1)
            if candidates:
                return
        if name in SAFE_VALUES:
            if not any(value is safe or (isinstance(safe, str) and value == safe) for safe in SAFE_VALUES[name]):
                kind, why = ("network", "it fetches from a network") if name in NETWORK else ("pickle", "it unpickles")
                if name == "_debug_":
                    kind, why = "command", "it stops in a debugger, which runs what it is told"
                self._add(kind, file, place, f"{name}: {value}", why)
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
        self._add("command", file, place, f"{name}: {value}", "MONAI imports this text and calls it")

    def _expression(self, file: str, place: str, text: str) -> None:
        def report(kind: str, what: str, why: str) -> None:
            """A finding at this place."""
            self._add(kind, file, place, what, why)

        def literal(name: str, value: object, plain: bool) -> None:
            """A named argument that stands in the text of the expression."""
            if name in SAFE_VALUES or name in NAMING:
                self._argument(file, place, name, value if plain or name in SAFE_VALUES else f"${value}")

        try:
            statement = imported(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            statement = None
            if "@" not in text:
                self._add("config", file, place, text, "no Python")
                return
        if statement is None:
            Expression(self.names, self.aliases, self.in_scripts, self.modules, literal, report).check(text)
            return
        for alias in statement.names:
            module = f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else alias.name
            bound = alias.asname or alias.name
            if bound in GLOBALS and module != GLOBALS[bound]:
                self._add("command", file, place, text, f"{bound} means something else from here on")
            if module.split(".")[0] == "scripts":
                if self.in_scripts(module) is None:
                    self._add("unknown", file, place, text, "the bundle has no such code")
            elif module not in self.names.imports and not self.names.allows(module):
                kind, why = why_dangerous(self.names.resolve(module)[0] if "." in module else module)
                self._add(kind, file, place, text, why)

    def _bind(self, place: str, text: str) -> None:
        try:
            statement = imported(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for alias in statement.names if statement else ():
            module = f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else alias.name
            self.aliases.setdefault(alias.asname or alias.name, set()).add(module)
            parts = place.split("::")
            for length in range(1, len(parts) + 1):
                self.modules.setdefault("::".join(parts[:length]), set()).add(module)

    def _macro(self, file: str, place: str, text: str) -> None:
        match = MACRO_FILE.match(text)
        if match is None:
            return
        path = match.group(1).replace("\\", "/").removeprefix("./")
        beside = file.rsplit("/", 1)[0] + "/" + path if "/" in file else path
        if path_fault(match.group(1)) or not {path, beside} & self.files:
            self._add("file", file, place, "%" + text, "a config from outside the bundle, which nobody has looked at")
        self._borrowed(
            file, place, "%" + text, [one for one in (path, beside) if one in self.facts], text[match.end() :]
        )

    def _borrowed(self, file: str, place: str, value: str, sources: list[str], what: str) -> None:
        """A use of a fact; a path or address may stand among facts, but not be used."""
        wanted = what.removeprefix("::")
        for source in sources:
            for name, (kind, why) in self.facts[source].items():
                if not wanted or name == wanted or name.startswith(wanted + "::"):
                    self._add(kind, file, place, f"{value}, in {source} {name.replace('::', '#')}", why)


def _is_metadata(file: str) -> bool:
    return file.rsplit("/", 1)[-1].lower() == "metadata.json"


def _is_free(file: str) -> bool:
    """Whether paths and addresses may stand in a file, as facts."""
    return _is_metadata(file) or file.rsplit("/", 1)[-1].lower().startswith("large_files.")
