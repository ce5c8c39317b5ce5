"""Files of tensors alone: safetensors, and ONNX, whose tensors may lie elsewhere."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .documents import read_document
from .entries import Entry
from .finding import Finding

__all__ = ["onnx_faults", "safetensors_faults"]

LONGEST = 100 << 20
"""Bytes of a header of safetensors, as the library has it."""
BLOCK = 16 << 20
PATH = 4096
LOCATION = re.compile(rb"(?:\x08|\x88\x80*\x00)location")
"""The key of a place, with its length in the short form and in those that mean the same."""


def safetensors_faults(entry: Entry) -> list[Finding]:
    """A header that fits, tensors that follow each other without holes, and texts as metadata.

    Args:
        entry: The file.
    """
    head = entry.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else entry.size
    if length + 8 > entry.size or length > LONGEST:
        return [Finding("config", entry.name, "", "no safetensors", "its header is longer than the file")]
    try:
        header, odd = read_document(entry.read(8 + length)[8:], "json")
        texts = header.pop("__metadata__", {})
        ranges = sorted((int(begin), int(end)) for begin, end in (one["data_offsets"] for one in header.values()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return [Finding("config", entry.name, "", f"no safetensors: {error}", "its header cannot be read")]
    found = [Finding("config", entry.name, "", one, "two programs may read it differently") for one in odd]
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        found.append(Finding("config", entry.name, "", "metadata that is no text", "the format has none"))
    ends = [0, *(end for _, end in ranges)]
    if [begin for begin, _ in ranges] != ends[:-1] or ends != sorted(ends) or ends[-1] != entry.size - 8 - length:
        found.append(Finding("config", entry.name, "", "bytes that no tensor owns", "something else may hide there"))
    return found


def onnx_faults(entry: Entry) -> list[Finding]:
    """Data of an ONNX file may lie in other files, which it names by their path.

    Args:
        entry: The file.
    """
    found = []
    for at, before, behind in _locations(entry):
        path = _path(behind)
        if before[-1:] != b"\n" or path is None:
            what = "a place of data, written another way than by ONNX"
            found.append(Finding("file", entry.name, f"byte {at}", what, "where its weights lie cannot be told"))
        elif path.startswith(("/", "\\", "~")) or ".." in path or ":" in path:
            found.append(Finding("file", entry.name, f"byte {at}", path, "its weights lie outside the bundle"))
    return found


def _locations(entry: Entry) -> Iterator[tuple[int, bytes, bytes]]:
    """Position of each key, and what stands around it."""
    with entry.opened() as file:
        start, content = 0, file.read(BLOCK)
        while content:
            more = file.read(BLOCK)
            whole = content + more[: 2 * PATH]
            for match in LOCATION.finditer(whole, 0):
                if match.start() < len(content):
                    yield start + match.start(), whole[: match.start()][-1:], whole[match.end() : match.end() + PATH]
            start, content = start + len(content), more


def _path(behind: bytes) -> str | None:
    """The value that follows a key: field 2, its length in one or two bytes, its text."""
    if behind[:1] != b"\x12" or len(behind) < 3:
        return None
    length, at = (behind[1], 2) if behind[1] < 128 else (behind[1] - 128 + (behind[2] << 7), 3)
    text = behind[at : at + length]
    return text.decode("utf-8", "replace") if behind[at - 1] < 128 and len(text) == length else None
