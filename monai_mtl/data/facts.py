"""One pass over the files of a data set: each is decoded once, and all that a check asks is noted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..errors import ImageError, MissingError, MonaiMtlError
from .duplicates import Fingerprint, fingerprint
from .hashes import HASHED, file_sha256, verify_hash
from .masks import lesion_classes, load_mask, mask_files
from .naming import called
from .reader import MedicalReader, read_size

__all__ = ["Facts", "Names", "gather"]

MANY = 100
"""Cases from which on a bar with the time left is shown."""
THREADS = min(8, os.cpu_count() or 1)


@dataclass
class Facts:
    """What is known of a case after its files were read.

    Args:
        faults: Kind of finding and line, of each fault.
        size: Width and height of the image.
        spacing: Millimetres in x and y, where the file states them.
        digest: SHA-256 of the image file.
        fingerprint: Of the image.
        lesion: Whether the mask holds anything but background; None without a readable mask.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    size: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None
    digest: str = ""
    fingerprint: Fingerprint | None = None
    lesion: bool | None = None


@dataclass(frozen=True)
class Names:
    """How a report calls files: relative to the data folder, or by ``case_id`` where names are secret.

    Args:
        folder: The data set.
        secret: Whether file names must not appear.
    """

    folder: Path | None = None
    secret: bool = False

    def file(self, path: object, case: Mapping[str, Any]) -> str:
        """Name of a file of a case."""
        name, case_id, patient = Path(str(path)).name, str(case["case_id"]), str(case.get("patient_id") or "")
        # The files of INbreast carry the patient in their names, its case_ids do not.
        return case_id if self.secret or (patient and patient in name and patient not in case_id) else name

    def text(self, text: str, path: object, case: Mapping[str, Any]) -> str:
        """A message without the places of files on this computer."""
        for name in (str(path), Path(str(path)).name):
            text = text.replace(name, self.file(path, case))
        return text if self.folder is None else text.replace(f"{self.folder}{os.sep}", "")


def gather(
    cases: Sequence[dict], classes: Mapping[str, Sequence[str]], names: Names, reader: Mapping[str, Any] | None = None
) -> list[Facts]:
    """Read all files of all cases, in threads.

    Args:
        cases: Resolved cases.
        classes: Class names by task; without ``seg`` no mask is read.
        names: How files are called.
        reader: Options of :class:`MedicalReader` for the images.
    """
    bar = {"desc": "checking the data", "leave": False, "disable": True if len(cases) < MANY else None}
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda case: _facts(case, classes, names, reader or {}), cases)
        return list(tqdm(found, total=len(cases), **bar))


def _facts(case: dict, classes: Mapping[str, Sequence[str]], names: Names, reader: Mapping[str, Any]) -> Facts:
    facts = Facts()
    image = case["image"]
    try:
        facts.digest = file_sha256(image)
        with called(names.file(image, case)):
            array, meta = MedicalReader("image", **reader).get_data([Path(image)])
        facts.size = (int(array.shape[-2]), int(array.shape[-1]))
        spacing = np.asarray(meta["spacing"], float)
        facts.spacing = (float(spacing[0]), float(spacing[1])) if np.isfinite(spacing).all() else None
        facts.fingerprint = fingerprint(array)
    except MonaiMtlError as error:
        facts.faults.append(_fault(error, "missing_image", image, case, names))
    mask = case.get("label_seg")
    if mask is not None and "seg" in classes:
        facts.faults += _look_at_mask(facts, case, len(classes["seg"]), names)
    facts.faults += _other_content(case, names)
    return facts


def _look_at_mask(facts: Facts, case: dict, classes: int, names: Names) -> Iterator[tuple[str, str]]:
    size, rescale = facts.size, bool(case.get("rescale_seg"))
    lesions, fits = [], True
    try:
        lesion_classes(case["label_seg"], classes, case.get("class_seg"))
    except ImageError as error:
        yield _fault(error, "", case["image"], case, names)
        return
    classes = classes if case.get("class_seg") is None else 2  # then each file holds a lesion and what is around it
    for path in mask_files(case["label_seg"]):
        try:
            own = read_size(path)
            with called(names.file(path, case)):
                lesions.append(bool(load_mask(path, own, classes).any()))
            if size is not None and own != size and not rescale:
                fits = False
                yield "mask_size", f"{names.file(path, case)}: {_by(own)}, its image {_by(size)}"
        except MonaiMtlError as error:
            yield _fault(error, "missing_mask", path, case, names)
            return
    if isinstance(case["label_seg"], Mapping) and size is not None:
        lesions = [bool(load_mask(case["label_seg"], size, classes).any())]
    # What a mask of another picture says about the class says nothing.
    facts.lesion = any(lesions) if fits else None


def _other_content(case: dict, names: Names) -> Iterator[tuple[str, str]]:
    for key, name in HASHED.items():
        if case.get(name) is not None and case.get(key) is not None:
            try:
                verify_hash(case[key], case[name])
            except MissingError:
                pass  # told already, by those who wanted to decode it
            except ImageError as error:
                path = mask_files(case[key])[0] if mask_files(case[key]) else case["image"]
                yield _fault(error, "", path, case, names)


def _fault(error: MonaiMtlError, missing: str, path: object, case: dict, names: Names) -> tuple[str, str]:
    kind = error.kind if isinstance(error, ImageError) else missing
    return kind, names.file(path, case) if kind == missing else names.text(error.what, path, case)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
