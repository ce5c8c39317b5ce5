"""An error as a user gets to read it, whoever raised it: this package, the system, or MONAI about a config."""

from __future__ import annotations

import errno
import importlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, MonaiMtlError, RunError, own_error
from .settings import did_you_mean

__all__ = ["explained", "fix_of"]

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a folder that you may write to"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "name a folder, and no file, to write to"),
    errno.ENAMETOOLONG: "give it a shorter name",
}
"""What to do about what the system refuses, by its number."""
SPACE = "free some space, or name a folder on another disk; a file of before is as it was"
NO_SUCH = re.compile(r"Cannot locate class or function path: '([\w.]+)'")
NOT_MADE = re.compile(r"Failed to instantiate component '([\w.]+)'")


def explained(error: BaseException) -> MonaiMtlError | None:
    """The error that a user should read.

    Args:
        error: What was raised.

    Returns:
        Ours where it is or was caused by one; one in our words where a path, the disk or a config is at fault; None
        where it may be a fault of the program, whose traceback is then worth reading.
    """
    if (ours := own_error(error)) is not None:
        return ours
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in (*FULL, *REFUSED):
            kind = RunError if cause.errno in FULL else ConfigError
            name = f"cannot write {cause.filename}" if cause.filename else "cannot write a file"
            return kind(f"{name}: {cause.strerror}", fix=fix_of(cause))
        if isinstance(cause, ModuleNotFoundError) and (found := NO_SUCH.search(str(cause))):
            return _no_such(found.group(1))
        made = NOT_MADE.search(str(cause))
        if made and cause.__cause__ is not None and _refused(cause.__cause__):
            what = f"{made.group(1)} cannot be made: {cause.__cause__}"
            return ConfigError(what, fix="correct the setting that names or changes it")
    return None


def fix_of(error: BaseException) -> str:
    """What to do about a file that cannot be written."""
    number = error.errno if isinstance(error, OSError) else None
    return REFUSED.get(number, SPACE) if number is not None else SPACE


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _no_such(path: str) -> ConfigError:
    module, _, name = path.rpartition(".")
    try:
        known = list(getattr(importlib.import_module(module), "__all__", []) if module else [])
    except ImportError:
        known = []
    fix = did_you_mean(name, known) or "correct the _target_ of the config"
    return ConfigError(f"a config names {path}, and there is none", expected=", ".join(known), fix=fix)


def _refused(cause: BaseException) -> bool:
    """Whether a constructor, or a function of its file, refused arguments, or it could not be called with them."""
    *_, last = frames = traceback.extract_tb(cause.__traceback__)
    if isinstance(cause, TypeError):
        return Path(last.filename).parts[-3:] == ("monai", "utils", "module.py")
    return isinstance(cause, ValueError) and any((f.name, f.filename) == ("__init__", last.filename) for f in frames)
