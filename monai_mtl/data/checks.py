"""What must hold of a data set before anything is trained on it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from ..errors import DataError, ImageError, MissingError
from .masks import load_mask, mask_files
from .reader import read_size

__all__ = ["check_cases"]

logger = logging.getLogger("monai_mtl")

MANY = 100


def check_cases(
    sections: Mapping[str, Sequence[dict]], classes: Mapping[str, Sequence[str]], class_from_mask: bool = False
) -> None:
    """Raise one error that names every case with the same fault.

    Checked in this order: files exist and can be opened, each mask has the size of its image, mask values
    are declared, the class agrees with the mask, classes are declared, some training case has a label for
    each task, no image or name is listed twice, no patient is in two sections.

    Args:
        sections: Resolved cases by section, as :func:`load_datalist` makes them.
        classes: Class names by task; ``seg`` is the mask's.
        class_from_mask: Whether ``label_cls`` 1 means that the mask is not empty, and 0 that it is.

    Raises:
        DataError: On the first kind of fault found, with all its cases.
    """
    cases = [case for section in sections.values() for case in section]
    unreadable: list[str] = []
    sizes: list[str] = []
    values: list[str] = []
    unlike: list[str] = []
    for case in tqdm(cases, desc="checking the data", leave=False, disable=True if len(cases) < MANY else None):
        mask = case.get("label_seg")
        try:
            size = read_size(case["image"])
            sources = [] if mask is None else mask_files(mask)
            others = [] if case.get("rescale_seg") else [(p, s) for p in sources if (s := read_size(p)) != size]
            sizes += [f"{_name(path)}: {_by(other)}, its image {_by(size)}" for path, other in others]
            if mask is not None and not others and "seg" in classes:
                lesion = bool(load_mask(mask, size, len(classes["seg"]), bool(case.get("rescale_seg"))).any())
                if class_from_mask and case.get("label_cls") == int(not lesion):
                    name = _name(sources[0] if sources else case["image"])
                    unlike.append(f"{name}: label_cls {case['label_cls']}, mask {'not ' * lesion}empty")
        except MissingError as error:
            unreadable.append(error.what)
        except ImageError as error:
            (values if "undeclared" in error.what else unreadable).append(error.what)
    _refuse(cases, unreadable, "cannot be read", "correct the list or copy the files again")
    _refuse(cases, sizes, "have a mask of another size", "export image and mask on one grid")
    _refuse(cases, values, "have a mask with undeclared values", f"use 0..K-1 for {list(classes.get('seg', []))}")
    fix = "this class says whether the mask holds a lesion; correct the label or the mask"
    _refuse(cases, unlike, "have a class that disagrees with their mask", fix)
    for task, names in classes.items():
        if task != "seg":
            wrong = [f"{_name(c['image'])}: {c[f'label_{task}']!r}" for c in cases if not _declared(c, task, names)]
            _refuse(cases, wrong, f"have an undeclared label_{task}", f"use 0..{len(names) - 1} for {list(names)}")
        if not any(f"label_{task}" in c or (task == "cls" and "label_seg" in c) for c in sections["training"]):
            raise DataError(
                f"no training case has a label_{task}",
                expected=f"label_{task} for at least some cases; classes {list(names)}",
                fix="add the labels to the data set",
            )
    nameless = sum("patient_id" not in case for case in cases)
    if nameless:
        logger.warning(
            "%d of %d cases have no patient_id: whether a patient is in two sections is not known", nameless, len(cases)
        )
    _refuse_shared(sections, cases, "image", "are listed more than once", "list each image once")
    _refuse_shared(sections, cases, "case_id", "have the same case_id", "give each case a name of its own")
    _refuse_shared(sections, cases, "patient_id", "have their patient in two sections", "keep each patient in one")


def _refuse(cases: Sequence[dict], faults: list[str], what: str, fix: str, count: int | None = None) -> None:
    if faults:
        raise DataError(f"{count or len(faults)} of {len(cases)} cases {what}", faults, fix=fix)


def _refuse_shared(
    sections: Mapping[str, Sequence[dict]], cases: Sequence[dict], key: str, what: str, fix: str
) -> None:
    seen: dict[str, list[str]] = defaultdict(list)
    for section, members in sections.items():
        for case in members:
            if case.get(key) is not None:
                seen[str(case[key])].append(section)
    # An image may be listed once, a patient as often as he likes in one section.
    shared = {v: where for v, where in seen.items() if len(set(where) if key == "patient_id" else where) > 1}
    faults = [f"{_name(value)}: {', '.join(sorted(set(where)))}" for value, where in shared.items()]
    _refuse(cases, faults, what, fix, count=sum(len(where) for where in shared.values()))


def _declared(case: dict, task: str, names: Sequence[str]) -> bool:
    label = case.get(f"label_{task}")
    return label is None or (isinstance(label, int) and 0 <= label < len(names))


def _name(path: object) -> str:
    return Path(str(path)).name


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
