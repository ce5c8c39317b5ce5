"""Logging configs: ``logging.config`` evaluates the classes and arguments of handlers as Python."""

from __future__ import annotations

import ast
import configparser
import re

from .finding import Finding
from .texts import hidden, path_fault

__all__ = ["logging_faults"]

HANDLERS = {
    *("StreamHandler", "NullHandler", "FileHandler", "Formatter"),
    *("handlers.RotatingFileHandler", "handlers.TimedRotatingFileHandler", "handlers.MemoryHandler"),
}
CLASSES = HANDLERS | {f"logging.{name}" for name in HANDLERS}
CONFIG = re.compile(r"\.(json|ya?ml|conf|cfg|ini)\s*$", re.IGNORECASE)
STREAMS = {"sys.stdout", "sys.stderr"}
EVALUATED = ("args", "kwargs")


def logging_faults(file: str, content: bytes) -> list[Finding]:
    """What is wrong with an INI file, as if ``logging.config.fileConfig`` read it.

    Args:
        file: Its name.
        content: Of it.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.decode("utf-8"))
    except (UnicodeDecodeError, configparser.Error) as error:
        return [Finding("config", file, "", " ".join(str(error).split()), "it cannot be parsed")]
    found = []
    for section in [*parser.sections(), parser.default_section]:
        for key, value in parser.items(section):
            place = f"[{section}] {key}"
            if reason := hidden(value):
                found.append(Finding("text", file, place, value, reason))
            if key in ("class", *EVALUATED) and "%(" in value:
                found.append(Finding("command", file, place, value, "it is put together before it is evaluated"))
            elif key == "class" and value.strip() not in CLASSES:
                found.append(Finding("command", file, place, value, "it is evaluated as Python, or sends logs away"))
            elif key in EVALUATED:
                found += _arguments(file, place, value)
    return list(dict.fromkeys(found))


def _arguments(file: str, place: str, value: str) -> list[Finding]:
    try:
        tree = ast.parse(value.strip() or "()", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [Finding("command", file, place, value, "it is evaluated as Python")]
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and (fault := path_fault(node.value)):
                found.append(Finding(fault[0], file, place, node.value, fault[1]))
            elif isinstance(node.value, str) and CONFIG.search(node.value):
                found.append(Finding("file", file, place, node.value, "the log is written over a config"))
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            waiting += node.elts
        elif isinstance(node, ast.Dict):
            waiting += [one for one in [*node.keys, *node.values] if one is not None]
        elif not (isinstance(node, ast.Attribute) and ast.unparse(node) in STREAMS):
            found.append(Finding("command", file, place, value, "it is evaluated as Python"))
    return found
