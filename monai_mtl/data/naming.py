"""How the log calls cases: files are often named after patients, so whoever knows better says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

__all__ = ["called", "name_of", "secret_names", "some_of"]

SHOWN = 5
_name: ContextVar[str | None] = ContextVar("name", default=None)
_secret: ContextVar[bool] = ContextVar("secret", default=False)


@contextmanager
def called(name: str | None) -> Iterator[None]:
    """Within, what a reader tells of a file is told of this name.

    Args:
        name: Such as the ``case_id``; ``None`` for the file's own.
    """
    token = _name.set(name)
    try:
        yield
    finally:
        _name.reset(token)


def name_of(path: Path) -> str:
    """What a file is called in the log."""
    return path.name if (name := _name.get()) is None else name


@contextmanager
def secret_names(secret: bool) -> Iterator[None]:
    """Within, :func:`some_of` names nothing.

    Args:
        secret: Whether that is so.
    """
    token = _secret.set(secret)
    try:
        yield
    finally:
        _secret.reset(token)


def some_of(names: Sequence[str]) -> str:
    """``": a, b, ..."``, or nothing where names are secret.

    Args:
        names: Of cases; the first five are told.
    """
    more = ", ..." if len(names) > SHOWN else ""
    return "" if _secret.get() else f": {', '.join(names[:SHOWN])}{more}"
