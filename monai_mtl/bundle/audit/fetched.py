"""What ``large_files.yml`` brings later: it is not there to be looked at, or is and must be what comes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from .entries import Entry
from .finding import Finding

__all__ = ["fetched_faults"]

DIGESTS = {"sha256", "sha512"}


def fetched_faults(name: str, value: Any, entries: Mapping[str, Entry], data: set[str]) -> list[Finding]:
    """Files that are fetched when the bundle is: each needs a digest, a place inside the bundle, and to be known.

    Args:
        name: Of the file that lists them.
        value: Its value.
        entries: Files of the bundle by name.
        data: Suffixes of what may be fetched: weights and pictures.
    """
    listed = value.get("large_files") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        return (
            [Finding("config", name, "", "no list of large files", "what is fetched cannot be told")] if listed else []
        )
    found = []
    for i, one in enumerate(listed):
        place, given = f"large_files#{i}", one if isinstance(one, dict) else {}
        url, path = str(given.get("url", "")), str(given.get("path", ""))
        digest, kind = str(given.get("hash_val") or ""), str(given.get("hash_type") or "sha256").lower()
        if not digest:
            found.append(Finding("network", name, place, url, "fetched without a digest, so anything may come"))
        if not url.startswith("https://"):
            found.append(Finding("network", name, place, url, "fetched without encryption, or from this machine"))
        if path.startswith(("/", "~", "\\")) or ".." in re.split(r"[\\/]", path) or ":" in path:
            found.append(Finding("file", name, place, path, "it is written outside the bundle"))
        elif PurePosixPath(path).suffix.lower().lstrip(".") not in data and not path.lower().endswith(".nii.gz"):
            found.append(Finding("code", name, place, path, "fetched later, and neither plain weights nor a picture"))
        elif digest:
            found += [Finding("network", name, place, path, why) for why in _unknown(path, digest, kind, entries)]
    return found


def _unknown(path: str, digest: str, kind: str, entries: Mapping[str, Entry]) -> list[str]:
    entry = entries.get(PurePosixPath(path).as_posix())
    if entry is None:
        return ["it is not there yet, so nobody has looked into it"]
    if kind not in DIGESTS:
        return [f"its author can make another file of the same {kind}"]
    there = hashlib.new(kind)
    with entry.opened() as file:
        while block := file.read(1 << 20):
            there.update(block)
    return [] if there.hexdigest() == digest.lower() else ["another file comes than the one that is there"]
