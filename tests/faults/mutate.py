"""Damage to the bytes of a file, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

HEAD = 600
"""Half of all positions lie before it: headers decide more than pixels do."""
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)


def mutate(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """One random operation of :data:`OPERATIONS`.

    Args:
        content: At least one byte.
        rng: Decides everything.

    Returns:
        The damaged content, which may happen to equal the given one, and what was done.
    """
    operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
    return operation(content, rng)


def flip(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Turn one bit, or up to eight in different places."""
    damaged, places = bytearray(content), []
    for _ in range(1 << int(rng.integers(4))):
        at, bit = position(content, rng), int(rng.integers(8))
        if at not in places:  # a second turn would undo the first
            damaged[at] ^= 1 << bit
            places.append(at)
    return bytes(damaged), f"flip of a bit at {', '.join(map(str, places))}"


def truncate(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Drop all from a position on."""
    at = position(content, rng)
    return content[:at], f"truncation at {at}"


def zero(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Set up to 64 bytes to zero."""
    at, length = position(content, rng), int(rng.integers(1, 65))
    end = min(at + length, len(content))
    return content[:at] + bytes(end - at) + content[end:], f"zeros at {at}..{end}"


def insert(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Put up to 32 random bytes in between."""
    at, more = position(content, rng), rng.bytes(int(rng.integers(1, 33)))
    return content[:at] + more + content[at:], f"insert of {len(more)} bytes at {at}"


def extreme(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Write one of :data:`EXTREMES` over two bytes, in either byte order."""
    at, value = position(content, rng), int(rng.choice(EXTREMES))
    order = "little" if rng.integers(2) else "big"
    written = value.to_bytes(2, order)[: len(content) - at]
    return content[:at] + written + content[at + 2 :], f"16 bits of {value:#x} ({order}) at {at}"


def duplicate(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Repeat a block of up to 256 bytes behind itself."""
    at, length = position(content, rng), int(rng.integers(1, 257))
    end = min(at + length, len(content))
    return content[:end] + content[at:end] + content[end:], f"duplication of {at}..{end}"


def position(content: bytes, rng: np.random.Generator) -> int:
    """Index of a byte, half of the time before :data:`HEAD`."""
    near = rng.integers(2) == 0
    return int(rng.integers(min(HEAD, len(content)) if near else len(content)))


OPERATIONS: tuple[Callable[[bytes, np.random.Generator], tuple[bytes, str]], ...] = (
    *(flip, truncate, zero, insert, extreme, duplicate),
)
