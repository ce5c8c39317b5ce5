"""Size that a JPEG, JPEG-LS or JPEG 2000 stream states, read before a decoder believes it."""

from __future__ import annotations

__all__ = ["stated_size"]

JPEG2000 = b"\xff\x4f\xff\x51"
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Markers of a frame header; 0xF7 is that of JPEG-LS."""


def stated_size(stream: bytes) -> tuple[int, int, int]:
    """Rows, columns and components.

    Raises:
        ValueError: If the stream states none.
    """
    at = stream.find(JPEG2000, 0, 4096)  # behind the boxes of a JP2 file, where there are any
    if at >= 0 and len(stream) >= at + 42:
        right, bottom, left, top = (int.from_bytes(stream[at + k : at + k + 4], "big") for k in (8, 12, 16, 20))
        return bottom - top, right - left, int.from_bytes(stream[at + 40 : at + 42], "big")
    at = 2
    while stream[:2] == b"\xff\xd8" and at + 10 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in FRAMES:
            height, width = (int.from_bytes(stream[at + k : at + k + 2], "big") for k in (5, 7))
            return height, width, stream[at + 9]
        at += 1 if marker == 0xFF else 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    raise ValueError("its compressed pixels state no size")
