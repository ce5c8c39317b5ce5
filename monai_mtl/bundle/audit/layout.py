"""Archives of weights hold nothing but their members: bytes before, between or behind them belong to somebody else."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import IO

from .finding import Finding

__all__ = ["layout_faults"]

END = 22
END64 = 76
"""Bytes of what ends an archive, and of what stands before it in a large one."""
DESCRIPTORS = {0, 12, 16, 20, 24}
"""Bytes of sizes that may follow a member that was written as a stream."""


def layout_faults(file: IO[bytes], name: str) -> list[Finding]:
    """Bytes of an archive that belong to none of its members.

    Args:
        file: Of the archive, which :func:`archive_faults` has found readable; it is closed.
        name: As findings call it.
    """
    with file, zipfile.ZipFile(file) as archive:
        why = "something else may hide there, such as another archive"
        return [Finding("archive", name, "", one, why) for one in _others(archive, file)]


def _others(archive: zipfile.ZipFile, file: IO[bytes]) -> Iterator[str]:
    at = 0
    for info in sorted(archive.infolist(), key=lambda one: one.header_offset):
        if info.header_offset - at not in (DESCRIPTORS if at else {0}):
            yield f"{info.header_offset - at} bytes before {info.filename}"
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        at = info.header_offset + 30 + name + extra + info.compress_size
    if archive.start_dir - at not in DESCRIPTORS:
        yield f"{archive.start_dir - at} bytes before its table"
    if archive.comment:
        yield f"a comment of {len(archive.comment)} bytes"
    file.seek(archive.start_dir)
    for _ in archive.infolist():
        file.seek(sum(struct.unpack("<HHH", file.read(46)[28:34])), io.SEEK_CUR)
    end = file.tell()
    rest = file.seek(0, io.SEEK_END) - end - len(archive.comment)
    if rest not in (END, END + END64):
        yield f"{rest - END} bytes behind its table"
