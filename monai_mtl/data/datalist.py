"""The cases of a folder for a config: read, checked, and refused or reported."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from monai.config import PathLike

from .checks import EMPTY_CLASSES
from .details import write_details
from .findings import Report
from .folder_dataset import FolderDataset
from .listing import list_images

__all__ = ["examine_dataset", "list_images", "load_datalist"]

logger = logging.getLogger("monai_mtl")

SHOWN = 5


def load_datalist(
    dataset_dir: PathLike,
    classes: Mapping[str, Sequence[str]],
    check: bool = True,
    class_from_mask: bool = False,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    *,
    fold: int = 0,
    named_split: bool = True,
    output_dir: PathLike | None = None,
    case_id_salt: str | None = None,
    reader: Mapping[str, Any] | None = None,
    empty_classes: Collection[str] = EMPTY_CLASSES,
    unlabelled: Collection[str] = (),
    option_defaults: Mapping[str, Any] | None = None,
) -> dict[str, list[dict]]:
    """Read a data set of any known layout.

    Paths become absolute, class names become indices, and a set that names no validation cases is split
    by patient (:func:`monai_mtl.data.splits.split_by_patient`). Absent labels stay absent. A table
    ``cases.csv`` in the folder adds to it (:mod:`monai_mtl.data.cases_csv`).

    Args:
        dataset_dir: Folder with the data set.
        classes: Class names by task, index 0 first, e.g. ``{"seg": ["background", "mass"], "cls": [...]}``.
        check: Whether to run :func:`monai_mtl.data.checks.examine_cases`.
        class_from_mask: As in that check.
        seed: Seed of the split, where one is made.
        options: Of the importer, such as ``{"label": "birads"}``; see docs/reference/datasets.md.
        fold: Which of five rotations of that split, 0 to 4.
        named_split: Whether sections that the data set names are kept; else all its cases are split by patient.
        output_dir: Where ``check.json`` and ``check.png`` are written if the check finds an error.
        case_id_salt: If given, each ``case_id`` becomes a hash of it with this salt, and reports name no file. The
            error of a run that fails on a file afterwards does.
        reader: Options of :class:`monai_mtl.data.MedicalReader` that the check reads images with.
        empty_classes: As in that check.
        unlabelled: As in that check.
        option_defaults: Options for an importer that has them; what ``options`` says goes before.

    Returns:
        Lists ``training``, ``validation`` and ``test`` of cases with ``image``, ``case_id``,
        ``patient_id``, ``label_<task>`` where annotated, and all free fields.

    Raises:
        MissingError: If there is no such folder.
        ConfigError: If an option or a fold does not exist.
        DataError: If no layout is recognised or the check finds faults; it names all of them.
    """
    found = FolderDataset(dataset_dir, classes, options or {}, case_id_salt, reader, named_split, option_defaults)
    if not check:
        return found.split(seed, fold)
    report = found.examine(seed, fold, class_from_mask, empty_classes, unlabelled, output_dir)
    for one in report.warnings:
        more = ", ..." if len(one.where) > SHOWN else ""
        logger.warning("%s%s", one.what, f": {', '.join(one.where[:SHOWN])}{more}" if one.where else "")
    if report.errors and output_dir is not None:
        try:
            write_details(report, found.cases, found.facts, classes, output_dir, reader)
        except OSError as error:  # what was found is worth more than where it is written
            logger.warning("no details written to %s: %s", output_dir, error.strerror)
    report.raise_errors()
    return found.sections


def examine_dataset(
    dataset_dir: PathLike,
    classes: Mapping[str, Sequence[str]],
    class_from_mask: bool = False,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    *,
    fold: int = 0,
    named_split: bool = True,
    output_dir: PathLike | None = None,
    case_id_salt: str | None = None,
    reader: Mapping[str, Any] | None = None,
    empty_classes: Collection[str] = EMPTY_CLASSES,
    unlabelled: Collection[str] = (),
    option_defaults: Mapping[str, Any] | None = None,
) -> tuple[dict[str, list[dict]], Report]:
    """Check a data set and report, whatever is found.

    Args:
        dataset_dir: As in :func:`load_datalist`, and so are the others.
        classes: As there.
        class_from_mask: As there.
        seed: As there.
        options: As there.
        fold: As there.
        named_split: As there.
        output_dir: Where ``check.json`` and ``check.png`` are written, also when all is well.
        case_id_salt: As there.
        reader: As there.
        empty_classes: As there.
        unlabelled: As there.
        option_defaults: As there.

    Raises:
        MissingError: If there is no such folder.
        ConfigError: If an option or a fold does not exist.
        DataError: If no layout is recognised, or its tables cannot be used.
    """
    found = FolderDataset(dataset_dir, classes, options or {}, case_id_salt, reader, named_split, option_defaults)
    report = found.examine(seed, fold, class_from_mask, empty_classes, unlabelled, output_dir)
    if output_dir is not None:
        write_details(report, found.cases, found.facts, classes, output_dir, reader)
    return found.sections, report
