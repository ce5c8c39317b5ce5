"""Python files that a bundle brings: what they import and call, without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .finding import Finding
from .rules import DANGEROUS, EXACTLY, why_dangerous
from .texts import hidden

__all__ = ["code_faults", "definitions"]

HARMLESS = {"os.path", "os.environ", "os.cpu_count", "os.sep", "os.getcwd", "os.listdir", "os.walk", "os.fspath"}
HARMLESS |= {"os.mkdir", "os.getenv", "gc", "urllib.parse", "platform.system", "builtins.open", "numpy.load"}
HARMLESS |= {"os.makedirs", "os.PathLike", "sys.stdout", "sys.stderr", "sys.version_info", "sys.argv", "sys.platform"}
HARMLESS |= {"sys.maxsize", "builtins.setattr", "builtins.getattr", "tempfile", "types", "inspect", "multiprocessing"}
"""Dangerous in a config, common in code: the file as a whole is a finding in any case."""


def code_faults(file: str, content: bytes) -> list[Finding]:
    """One finding for the file, which runs when it is named, and one for each dangerous thing in it.

    Args:
        file: Its name.
        content: Of it.
    """
    try:
        tree = ast.parse(content)  # as Python does, by the encoding that the file names
        text = content.decode("utf-8")
    except (UnicodeDecodeError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [Finding("code", file, "", f"Python that cannot be parsed: {error}", "what it does cannot be told")]
    if all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in tree.body):
        return []
    found = [Finding("code", file, "", _summary(tree), "code of the bundle, which no list can hold")]
    if reason := hidden(text.replace("\ufeff", "", 1)):
        found.append(Finding("text", file, "", "the source", reason))
    if "\ufeff" not in text and any(not name.isascii() for name in _names(tree)):
        found.append(Finding("text", file, "", "names in other letters", "they look like others"))
    for kind, line, name, why in _dangers(tree):
        found.append(Finding(kind, file, f"line {line}", name, why))
    return list(dict.fromkeys(found))


def definitions(content: bytes) -> set[str]:
    """Classes, functions and names that a file defines itself, at its top level."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("scripts")):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.Lambda, ast.List, ast.Dict)):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _summary(tree: ast.Module) -> str:
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return f"imports {', '.join(sorted(modules)) or 'nothing'}"


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _dangers(tree: ast.Module) -> Iterator[tuple[str, int, str, str]]:
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if alias.name == "*" and node.module in DANGEROUS:
                    yield "command", node.lineno, f"from {node.module} import *", DANGEROUS[node.module]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            name = aliases.get(node.id, f"builtins.{node.id}" if f"builtins.{node.id}" in EXACTLY else "")
        elif isinstance(node, ast.Attribute):
            parts = [node.attr]
            inner = node.value
            while isinstance(inner, ast.Attribute):
                parts.insert(0, inner.attr)
                inner = inner.value
            name = ".".join([aliases[inner.id], *parts]) if isinstance(inner, ast.Name) and inner.id in aliases else ""
            if node.attr in ("__globals__", "__builtins__", "__subclasses__", "__code__", "f_globals", "gi_frame"):
                yield "command", node.lineno, node.attr, "it leads to the inside of Python"
        else:
            continue
        kind, why = why_dangerous(name)
        whole = isinstance(node, ast.Name) and name in DANGEROUS  # the module itself; what is used of it follows
        known = any(name == one or name.startswith(one + ".") for one in HARMLESS)
        if name and kind not in ("unknown", "code") and not known and not whole and not _is_safe_load(tree, node, name):
            yield kind, node.lineno, name, why


def _is_safe_load(tree: ast.Module, node: ast.AST, name: str) -> bool:
    if name != "torch.load":
        return False
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and one.func is node]
    keywords = [word for call in calls for word in call.keywords if word.arg == "weights_only"]
    return any(isinstance(word.value, ast.Constant) and word.value.value is True for word in keywords)
