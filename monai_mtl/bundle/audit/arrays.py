"""Files of NumPy: an array with objects anywhere in its type is a pickle."""

from __future__ import annotations

import ast
import re

from .finding import Finding

__all__ = ["HEADER", "array_faults", "is_array"]

MAGIC = b"\x93NUMPY"
HEADER = 1 << 16
"""Bytes that hold any header; NumPy itself refuses one of more than 10,000."""
PLAIN = re.compile(r"[<>|=]?[?bBhHiIlLqQuefdgFDGcmMSUaV]\d*(\[\w+(/\d+)?\])?")
"""Types of numbers, texts, times and raw bytes, as a header writes them."""


def is_array(head: bytes) -> bool:
    """Whether a file begins as ``numpy.save`` writes it."""
    return head.startswith(MAGIC)


def array_faults(name: str, head: bytes) -> list[Finding]:
    """What is wrong with an array, by its header alone.

    Args:
        name: As findings call it.
        head: Its first :data:`HEADER` bytes, or all of it.
    """
    wide = head[6:7] != b"\x01"  # versions 2 and 3 write the length with four bytes
    start = 12 if wide else 10
    length = int.from_bytes(head[8:start], "little")
    text = head[start : start + length]
    if not is_array(head) or len(head) < start or len(text) < length:
        return [Finding("pickle", name, "", "no array, or a header that does not end", "loading it may unpickle")]
    try:
        descr = ast.literal_eval(text.decode("utf-8" if head[6:7] == b"\x03" else "latin-1").strip())["descr"]
        plain = _is_plain(descr)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        what = f"a header that cannot be read: {error}"[:120]
        return [Finding("pickle", name, "", what, "what its type holds is not known")]
    return [] if plain else [Finding("pickle", name, "", f"an array of objects: {descr}", "loading it unpickles")]


def _is_plain(descr: object) -> bool:
    """Whether a type holds no objects: a text, a list of fields, or a type with its shape."""
    if isinstance(descr, list):
        return all(isinstance(field, tuple) and len(field) > 1 and _is_plain(field[1]) for field in descr)
    if isinstance(descr, tuple):
        return len(descr) == 2 and _is_plain(descr[0])
    return isinstance(descr, str) and PLAIN.fullmatch(descr) is not None
