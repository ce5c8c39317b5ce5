"""A file of a bundle, and how much of it is looked at."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

__all__ = ["LIMITS", "UNREADABLE", "Entry", "Limits"]


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Args:
        files: Number of files.
        size: Bytes of all files together.
        ratio: Bytes of a file for each byte that it takes in the archive; deflate itself reaches 1032.
        text: Bytes of a file that is read as text or code.
    """

    files: int = 20_000
    size: int = 20 << 30
    ratio: float = 200.0
    text: int = 32 << 20


LIMITS = Limits()
UNREADABLE = (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a file may raise, also one in an archive that is damaged."""


@dataclass(frozen=True)
class Entry:
    """A file of a bundle.

    Args:
        name: Path inside the bundle, with slashes.
        size: Bytes.
        opened: Opens it for reading; seekable.
    """

    name: str
    size: int
    opened: Callable[[], IO[bytes]]

    def read(self, most: int) -> bytes:
        """The first ``most`` bytes."""
        with self.opened() as file:
            return file.read(most)
