"""What a user gets to read when something is wrong: what, where, how to fix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "IMAGE_FAULTS",
    "ConfigError",
    "DataError",
    "ImageError",
    "MissingError",
    "MonaiMtlError",
    "RunError",
    "own_error",
]

SHOWN = 10
IMAGE_FAULTS: tuple[str, ...] = (
    *("unreadable", "name", "frames", "size", "values", "lossy", "colour", "transparency", "non_finite"),
    *("budget", "hash", "modality", "grey"),
)


class MonaiMtlError(Exception):
    """Base of all errors of this package.

    Args:
        what: One sentence, with counts where there are several cases.
        where: Files or names concerned; the first ten are shown.
        expected: What would have been right.
        fix: What to do.
    """

    exit_code = 2

    def __init__(self, what: str, where: Iterable[object] = (), expected: str = "", fix: str = "") -> None:
        self.what, self.where, self.expected, self.fix = what, [str(item) for item in where], expected, fix
        super().__init__(what)

    def __str__(self) -> str:
        shown = self.where[:SHOWN]
        if len(self.where) > SHOWN:
            shown.append(f"... and {len(self.where) - SHOWN} more")
        lines = [self.what, *(f"  {item}" for item in shown)]
        lines += [f"  {name}: {text}" for name, text in (("expected", self.expected), ("fix", self.fix)) if text]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The same for programs, with all of ``where``."""
        return {"what": self.what, "where": self.where, "expected": self.expected, "fix": self.fix}


class ConfigError(MonaiMtlError, ValueError):
    """A setting that does not exist or does not fit."""


class DataError(MonaiMtlError, ValueError):
    """A data set that cannot be used as it is."""


class ImageError(DataError):
    """One file that cannot be read as the image or mask it should be.

    Args:
        what: As in :class:`MonaiMtlError`; names the file.
        where: As there.
        expected: As there.
        fix: As there.
        kind: One of :data:`IMAGE_FAULTS`, by which a check of a whole data set groups its findings.

    Raises:
        ValueError: If ``kind`` is unknown.
    """

    def __init__(
        self, what: str, where: Iterable[object] = (), expected: str = "", fix: str = "", kind: str = "unreadable"
    ) -> None:
        if kind not in IMAGE_FAULTS:
            raise ValueError(f"unknown kind '{kind}'")
        super().__init__(what, where, expected, fix)
        self.kind = kind


class MissingError(MonaiMtlError, FileNotFoundError):
    """A file or folder that does not exist."""


class RunError(MonaiMtlError, RuntimeError):
    """A run that started well and failed, wholly or for some cases."""

    exit_code = 1


def own_error(error: BaseException | None) -> MonaiMtlError | None:
    """The error of this package that ``error`` is or was caused by, if any."""
    while error is not None:
        if isinstance(error, MonaiMtlError):
            return error
        error = error.__cause__ or error.__context__
    return None
