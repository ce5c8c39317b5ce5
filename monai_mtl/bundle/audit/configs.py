"""All texts of a bundle's configs, each by what it is: expression, macro, reference, path or comment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .documents import walk
from .expressions import Expression
from .finding import Finding
from .imports import Imports
from .metadata import metadata_findings
from .names import Names
from .rules import SAFE_VALUES
from .targets import Targets
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
        self.imports = Imports(names, in_scripts)
        self.targets = Targets(names, self.values, in_scripts, self._add)
        self.facts: dict[str, dict[str, tuple[str, str]]] = {}
        for file, document in documents.items():
            for place, _, value in walk(document):
                if _is_free(file) and isinstance(value, str) and (fault := path_fault(value)):
                    self.facts.setdefault(file, {})[place] = fault
                self.values.setdefault(place, []).append(value)
                if isinstance(value, str) and value.startswith("$") and "import" in value:
                    self.imports.bind(place, value[1:])

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
            self.targets.target(file, place, value)
        elif key == "_mode_" and value not in MODES:
            why = "debug stops in a debugger, which runs what it is told" if value == "debug" else "it is computed"
            self._add("command", file, place, f"_mode_ {value}", why)
        else:
            self.targets.argument(file, place, key, value)
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
        if value[:1] in ("@", "%") and relative_id(place, value)[1:] in self.imports.modules:
            self._add("command", file, place, value, "a module handed on, of which anything may be used")
        if key in COMMENTS:
            if reason := turned(value):
                self._add("text", file, place, value, reason)
            return
        if reason := hidden(value):
            self._add("text", file, place, value, reason)
        if not free and key != "_target_" and (fault := path_fault(value)):
            self._add(fault[0], file, place, value, fault[1])

    def _expression(self, file: str, place: str, text: str) -> None:
        def report(kind: str, what: str, why: str) -> None:
            """A finding at this place."""
            self._add(kind, file, place, what, why)

        def literal(name: str, value: object, plain: bool) -> None:
            """A named argument that stands in the text of the expression."""
            self.targets.argument(file, place, name, value if plain or name in SAFE_VALUES else f"${value}")

        if not self.imports.check(text, report):
            known = self.imports
            Expression(self.names, known.aliases, self.in_scripts, known.modules, literal, report).check(text)

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
