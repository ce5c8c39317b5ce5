"""One line a check, and the exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["attempt", "check", "exit_code", "tell"]

_failed: list[str] = []


def tell(line: str) -> None:
    """Print at once: the checks take minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def check(what: str, holds: bool, found: object = "") -> None:
    """Print the outcome of one check and remember a failure."""
    if not holds:
        _failed.append(what)
    tell(f"{'ok  ' if holds else 'FAIL'}  {what}{'' if holds else f'; found: {str(found)[:600]}'}")


def attempt(what: str, step: Callable[..., Any], *args: Any) -> Any:
    """Run a step; an exception is a failed check, and the steps after it still run."""
    try:
        return step(*args)
    except Exception as error:
        logging.exception(what)
        check(what, False, f"{type(error).__name__}: {error}")
        return None


def exit_code() -> int:
    """1 if a check failed, and the last line."""
    tell(f"{len(_failed)} checks failed" if _failed else "all checks passed")
    return 1 if _failed else 0
