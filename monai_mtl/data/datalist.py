"""Finds the cases of a folder: which layout, which files, which labels, which split."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ..errors import ConfigError, DataError
from .cases_csv import apply_cases_csv
from .checks import EMPTY_CLASSES, examine_cases
from .details import write_details
from .facts import Facts, Names, gather
from .findings import Finding, Report
from .listing import case_files, list_images, resolve_case, secret_id
from .naming import secret_names
from .opening import open_dataset, read_cases
from .relations import group_cases
from .splits import split_by_patient

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
    found = _Dataset(dataset_dir, classes, options or {}, case_id_salt, reader, named_split, option_defaults)
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
    found = _Dataset(dataset_dir, classes, options or {}, case_id_salt, reader, named_split, option_defaults)
    report = found.examine(seed, fold, class_from_mask, empty_classes, unlabelled, output_dir)
    if output_dir is not None:
        write_details(report, found.cases, found.facts, classes, output_dir, reader)
    return found.sections, report


class _Dataset:
    """A data set on its way from a folder to three lists."""

    def __init__(
        self,
        dataset_dir: PathLike,
        classes: Mapping[str, Sequence[str]],
        options: Mapping[str, Any],
        case_id_salt: str | None,
        reader: Mapping[str, Any] | None,
        named_split: bool,
        option_defaults: Mapping[str, Any] | None,
    ) -> None:
        self.importer, folder = open_dataset(dataset_dir)
        self.classes, self.reader = classes, reader
        self.names = Names(folder.resolve(), case_id_salt is not None)
        with secret_names(self.names.secret):
            read = read_cases(self.importer, folder, options, option_defaults)
            listed = {name: [resolve_case(case, folder, classes) for case in cases] for name, cases in read.items()}
            self.sections = apply_cases_csv(listed, folder)
        if not named_split:
            self.sections = {"training": self.cases, "validation": [], "test": []}
        kept = {case["image"] for case in self.cases}
        self.left_out = [c for cases in listed.values() for c in cases if c["image"] not in kept]
        if case_id_salt is not None:
            for case in self.cases:
                case["case_id"] = secret_id(case["case_id"], case_id_salt)
        self._facts: dict[int, Facts] = {}

    @property
    def cases(self) -> list[dict]:
        """All cases in the order of the sections."""
        return [case for cases in self.sections.values() for case in cases]

    @property
    def facts(self) -> list[Facts]:
        """Of all cases, gathered once."""
        cases = self.cases
        if not self._facts:
            found = gather(cases, self.classes, self.names, self.reader)
            self._facts = {id(case): fact for case, fact in zip(cases, found, strict=True)}
        return [self._facts[id(case)] for case in cases]

    def split(self, seed: int, fold: int) -> dict[str, list[dict]]:
        """Sections as named by the owners, or made."""
        training, validation, test = (self.sections[name] for name in ("training", "validation", "test"))
        if validation:
            if fold:
                raise ConfigError(
                    "the data set names its sections, so there are no folds",
                    fix="set fold to 0, or named_split to false",
                )
            return self.sections
        if test and not getattr(self.importer, "OFFICIAL_TEST", False):
            raise DataError(
                "the data set names test cases but no validation cases",
                expected="both or neither: the checkpoint is never chosen on the test cases",
                fix="move some patients of the training cases to validation",
            )
        parts = split_by_patient(training, seed=seed, fold=fold, groups=self._groups(training))
        if test:
            parts = {"training": parts["training"] + parts["test"], "validation": parts["validation"], "test": test}
            logger.info("%d of the owners' training cases, by patient, select the checkpoint", len(parts["validation"]))
        self.sections = parts
        return parts

    def _groups(self, cases: list[dict]) -> list[str] | None:
        nameless = sum(not case.get("patient_id") for case in cases)
        if not nameless or not getattr(self.importer, "UNKNOWN_PATIENTS", False):
            return None
        known = dict(zip(map(id, self.cases), self.facts, strict=True))
        groups = group_cases(cases, [known[id(case)] for case in cases])
        logger.warning(
            "%d of %d cases have no known patient: those of one lesion_id and nearly equal pictures are kept in one "
            "section (%d groups), but patients may still be shared between training and test, and scores may flatter",
            nameless,
            len(cases),
            len(set(groups)),
        )
        return groups

    def examine(
        self,
        seed: int,
        fold: int,
        class_from_mask: bool,
        empty_classes: Collection[str],
        unlabelled: Collection[str],
        output_dir: PathLike | None,
    ) -> Report:
        """Split and check; a split that cannot be made is one of the findings."""
        before: list[Finding] = []
        try:
            self.split(seed, fold)
        except DataError as error:
            before.append(Finding("split", "error", error.what, error.where, (), error.expected, error.fix))
        others = [path for case in self.left_out for path in case_files(case)]
        if output_dir is not None:
            others.append(Path(output_dir).resolve())
        return examine_cases(
            self.sections,
            self.classes,
            class_from_mask,
            facts=self.facts,
            names=self.names,
            empty_classes=empty_classes,
            unlabelled=unlabelled,
            ignored=getattr(self.importer, "IGNORED", ()),
            others=others,
            findings=before,
        )
