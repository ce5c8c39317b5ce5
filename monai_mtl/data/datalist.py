"""Finds the cases of a folder: which layout, which files, which labels, which split."""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ..errors import ConfigError, DataError, MissingError
from .checks import check_cases
from .importers import IMPORTERS
from .reader import IMAGE_SUFFIXES
from .splits import split_by_patient

__all__ = ["list_images", "load_datalist"]

logger = logging.getLogger("monai_mtl")


def load_datalist(
    dataset_dir: PathLike,
    classes: Mapping[str, Sequence[str]],
    check: bool = True,
    class_from_mask: bool = False,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> dict[str, list[dict]]:
    """Read a data set of any known layout.

    Paths become absolute, class names become indices, and a set that names no validation cases is split
    by patient (:func:`monai_mtl.data.splits.split_by_patient`). Absent labels stay absent.

    Args:
        dataset_dir: Folder with the data set.
        classes: Class names by task, index 0 first, e.g. ``{"seg": ["background", "mass"], "cls": [...]}``.
        check: Whether to run :func:`monai_mtl.data.checks.check_cases`.
        class_from_mask: As in that check.
        seed: Seed of the split, where one is made.
        options: Of the importer, such as ``{"label": "birads"}``; see docs/reference/datasets.md.

    Returns:
        Lists ``training``, ``validation`` and ``test`` of cases with ``image``, ``case_id``,
        ``patient_id``, ``label_<task>`` where annotated, and all free fields.

    Raises:
        MissingError: If there is no such folder.
        DataError: If no layout is recognised or the check finds a fault.
    """
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise MissingError(f"no folder {folder}", fix="give an existing folder as --dataset_dir")
    importer, folder = _recognise(folder)
    if importer is None:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise DataError(
            f"no data set found in {folder}",
            [f"it holds: {inside}"],
            expected=" | ".join(importer.LAYOUT for importer in IMPORTERS),
            fix="point --dataset_dir at the folder that holds one of these",
        )
    found = _read(importer, folder, options or {})
    sections = {name: [_resolve(c, folder, classes) for c in cases] for name, cases in found.items()}
    if not sections["validation"]:
        if sections["test"] and getattr(importer, "OFFICIAL_TEST", False):
            parts = split_by_patient(sections["training"], seed=seed)
            sections |= {"training": parts["training"] + parts["test"], "validation": parts["validation"]}
            logger.info("%d of the owners' training cases, by patient, select the checkpoint", len(parts["validation"]))
        elif sections["test"]:
            raise DataError(
                f"{folder} names test cases but no validation cases",
                expected="both or neither: the checkpoint is never chosen on the test cases",
                fix="move some patients of the training cases to validation",
            )
        else:
            sections = split_by_patient(sections["training"], seed=seed)
    if check:
        check_cases(sections, classes, class_from_mask)
    return sections


def _recognise(folder: Path) -> tuple[Any, Path]:
    """Importer and folder of the data set, which archives often nest once more."""
    inside = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    for place in (folder, *inside[: len(inside) == 1]):
        for importer in IMPORTERS:
            if importer.matches(place):
                return importer, place
    return None, folder


def _read(importer: Any, folder: Path, options: Mapping[str, Any]) -> dict[str, list[dict]]:
    known = list(inspect.signature(importer.read).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        expected = ", ".join(known) or "no options"
        raise ConfigError(f"this data set has no option {', '.join(unknown)}", expected=expected, fix="correct options")
    return importer.read(folder, **options)


def list_images(path: PathLike) -> list[dict]:
    """Images to predict: one file, or every image below a folder, in the order of their names.

    Args:
        path: File or folder.

    Returns:
        Cases with ``image`` (absolute) and ``case_id`` (relative name, unique).

    Raises:
        MissingError: If there is no such file or folder.
        DataError: If a folder holds no image.
    """
    root = Path(path).expanduser()
    if root.is_file():
        return [{"image": str(root.resolve()), "case_id": _stem(root).name}]
    if not root.is_dir():
        raise MissingError(f"no file or folder {root}", fix="give an existing one as --dataset_dir")
    files = sorted(p for p in root.rglob("*") if p.name.lower().endswith(IMAGE_SUFFIXES) and p.is_file())
    if not files:
        raise DataError(
            f"no PNG, JPEG, DICOM or NIfTI below {root}", fix="point --dataset_dir at an image or a folder of images"
        )
    names = [p.relative_to(root) for p in files]
    stems = Counter(_stem(name) for name in names)
    ids = [name if stems[_stem(name)] > 1 else _stem(name) for name in names]
    return [{"image": str(p.resolve()), "case_id": i.as_posix()} for p, i in zip(files, ids, strict=True)]


def _resolve(case: dict, folder: Path, classes: Mapping[str, Sequence[str]]) -> dict:
    resolved = {key: value for key, value in case.items() if value is not None}
    if "label" in resolved:
        resolved["label_seg"] = resolved.pop("label")
    for key in ("image", "label_seg"):
        found = resolved.get(key)
        if isinstance(found, list):
            resolved[key] = [str((folder / str(path)).resolve()) for path in found]
        elif found is not None and not isinstance(found, dict):
            resolved[key] = str((folder / str(found)).resolve())
    for task, names in classes.items():
        label = resolved.get(f"label_{task}")
        if task != "seg" and isinstance(label, str):
            resolved[f"label_{task}"] = list(names).index(label) if label in names else _number(label)
    name = _stem(Path(case["image"]))
    resolved.setdefault("case_id", name.name if name.is_absolute() else name.as_posix().removeprefix("images/"))
    if "patient_id" in resolved:
        resolved["patient_id"] = str(resolved["patient_id"])
    return resolved


def _stem(name: Path) -> Path:
    """The name without its suffix, which may be a double one."""
    short = name.with_suffix("")
    return short.with_suffix("") if short.suffix.lower() == ".nii" else short


def _number(text: str) -> int | str:
    return int(text) if text.strip().isdigit() else text
