"""Integrity of PNG files: Pillow skips the checksums of the pixels and stops at the last row."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

__all__ = ["check_png", "png_depth"]

SIGNATURE = 8


def check_png(content: bytes) -> None:
    """Verify the checksum of every chunk, from the first to the last.

    Raises:
        ValueError: If one differs, or the file ends before its last chunk.
    """
    last = b""
    for name, data, checksum in _chunks(content):
        if zlib.crc32(name + data) != checksum:
            raise ValueError(f"checksum of chunk {name.decode('ascii', 'replace')} differs")
        last = name
    if last != b"IEND":
        raise ValueError("the file is truncated")


def png_depth(content: bytes) -> tuple[int, bool]:
    """Bits a sample, and whether there are three or more samples a pixel."""
    return content[24], bool(content[25] & 2) and not content[25] & 1


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    view, at = memoryview(content), SIGNATURE
    while at + 12 <= len(content):
        length = int.from_bytes(view[at : at + 4], "big")
        name, end = bytes(view[at + 4 : at + 8]), at + 8 + length
        if end + 4 > len(content):
            raise ValueError("the file is truncated")
        yield name, view[at + 8 : end], int.from_bytes(view[end : end + 4], "big")
        if name == b"IEND":
            return
        at = end + 4
