"""An error as a user gets to read it, whoever raised it: this package, the system, or MONAI about a config."""

from __future__ import annotations

import errno
import importlib
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, MonaiMtlError, RunError, own_error
from .settings import did_you_mean

__all__ = ["explained", "fix_of"]

FULL = (errno.ENOSPC, errno.EDQUOT)
DENIED = (errno.EACCES, errno.EPERM)
REFUSED = {
    **dict.fromkeys((*DENIED, errno.EROFS), "name a folder that you may write to"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "name a folder, and no file"),
    errno.EISDIR: "name a file, and no folder",
    errno.ENAMETOOLONG: "give it a shorter name",
}
"""What to do about what the system refuses, by its number."""
EITHER = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
"""Refused to those who read as to those who write."""
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
            deed, fix = _deed(cause)
            return kind(f"cannot {deed} {cause.filename or 'a file'}: {cause.strerror}", fix=fix)
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


def _deed(error: OSError) -> tuple[str, str]:
    """What could not be done to a file, which the system does not tell, and what to do about it."""
    path = Path(str(error.filename))
    if error.errno in EITHER:
        return "open", fix_of(error)
    if error.errno in DENIED and os.path.lexists(path) and not os.access(path, os.R_OK):
        return "read", "ask for the right to read it, or name another"
    if error.errno in DENIED and not os.access(next(one for one in path.parents if os.path.lexists(one)), os.X_OK):
        return "open", "ask for the right to enter its folder, or name another"
    return "write", fix_of(error)


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
