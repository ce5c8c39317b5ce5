"""What a fault case is, and what our reader makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monai_mtl.data import MedicalReader
from monai_mtl.errors import ImageError, MissingError
from monai_mtl.transforms import VerifySHA256d


@dataclass(frozen=True)
class Same:
    """The file reads as this.

    Args:
        array: Rows first: ``(H, W)``, or ``(3, H, W)`` with ``color="rgb"``. Computed without our reader.
        meta: Entries that the meta data must have; ``nan`` equals ``nan``.
        tolerance: Largest difference allowed.
    """

    array: np.ndarray | Callable[[Path], np.ndarray]
    meta: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0


@dataclass(frozen=True)
class Repaired(Same):
    """The file reads as this, and a notice that contains ``notice`` says what was done."""

    notice: str = ""


@dataclass(frozen=True)
class Refused:
    """Our error of this kind, with the name of the file, a reason that contains ``says``, and a fix."""

    kind: str
    says: str = ""


@dataclass(frozen=True)
class Fault:
    """One case.

    Args:
        id: As in the published list, ``"D1"``.
        what: One line.
        make: Writes into an empty folder and returns what is given to the reader.
        wanted: What must come of each of the returned files.
        options: Of the reader.
        damage: Changes each file after its digest was noted; the digest is then verified before the file is read.
    """

    id: str
    what: str
    make: Callable[[Path], Path | Sequence[Path]]
    wanted: Same | Refused
    options: Mapping[str, Any] = field(default_factory=dict)
    damage: Callable[[Path], None] | None = None


def complaints(fault: Fault, folder: Path) -> list[str]:
    """Make the files, read each, and say in what the outcome differs from the wanted one; empty if in nothing."""
    made = fault.make(folder)
    paths = [made] if isinstance(made, Path) else list(made)
    return [f"{path.name}: {text}" for path in paths for text in _judge(fault, path)]


def _judge(fault: Fault, path: Path) -> list[str]:
    wanted = fault.wanted
    reader = MedicalReader(**{"reverse_indexing": False, **fault.options})
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if fault.damage else None
    if fault.damage:
        fault.damage(path)
    try:
        VerifySHA256d()({"image": str(path), "sha256_image": digest})
        array, meta = reader.get_data(reader.read(path))
    except (ImageError, MissingError) as error:
        if not isinstance(wanted, Refused):
            return [f"refused: {error}"]
        kind = getattr(error, "kind", "missing")
        text = str(error)
        wrong = [] if kind == wanted.kind else [f"kind {kind}, not {wanted.kind}: {text}"]
        wrong += [] if path.name in text else [f"the error does not name the file: {text}"]
        wrong += [] if wanted.says in text else [f"the error does not say '{wanted.says}': {text}"]
        return wrong + ([] if error.fix else [f"no fix: {text}"])
    if isinstance(wanted, Refused):
        return [f"read as {array.shape}, mean {array.mean():.1f}, not refused"]
    truth = wanted.array(path) if callable(wanted.array) else wanted.array
    if array.shape != truth.shape:
        return [f"shape {array.shape}, not {truth.shape}"]
    difference = float(np.abs(array.astype(float) - truth.astype(float)).max())
    wrong = [] if difference <= wanted.tolerance else [f"differs by up to {difference:g}"]
    for name, value in wanted.meta.items():
        if not _equal(meta.get(name), value):
            wrong.append(f"{name} is {meta.get(name)!r}, not {value!r}")
    if isinstance(wanted, Repaired) and wanted.notice not in meta["notices"]:
        wrong.append(f"no notice of '{wanted.notice}': {meta['notices']!r}")
    return wrong


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, (str, type(None))) or isinstance(found, (str, type(None))):
        return bool(found == wanted)
    return bool(np.allclose(found, wanted, rtol=1e-6, atol=0, equal_nan=True))
