"""A data set from its folder to three lists: which layout, which cases, which labels, which split."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ..errors import ConfigError, DataError
from .cases_csv import apply_cases_csv
from .checks import examine_cases
from .facts import Facts, Names, gather
from .findings import Finding, Report
from .listing import case_files, resolve_case, secret_id
from .naming import secret_names
from .opening import open_dataset, read_cases
from .relations import group_cases
from .splits import split_by_patient

__all__ = ["FolderDataset"]

logger = logging.getLogger("monai_mtl")


class FolderDataset:
    """A data set on its way from a folder to three lists.

    Args:
        dataset_dir: As in :func:`monai_mtl.data.load_datalist`, and so are the others.
        classes: As there.
        options: As there.
        case_id_salt: As there.
        reader: As there.
        named_split: As there.
        option_defaults: As there.

    Raises:
        MissingError: If there is no such folder.
        ConfigError: If an option does not exist.
        DataError: If no layout is recognised, or its tables cannot be used.
    """

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
        """Sections as named by the owners, or made.

        Args:
            seed: Of the split, where one is made.
            fold: Which of its rotations.

        Raises:
            ConfigError: If there is no such fold; there is none where the owners name the sections.
            DataError: If they name test cases alone, or it cannot be split.
        """
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
        """Split and check; a split that cannot be made is one of the findings.

        Args:
            seed: As in :meth:`split`.
            fold: As there.
            class_from_mask: As in :func:`monai_mtl.data.examine_cases`.
            empty_classes: As there.
            unlabelled: As there.
            output_dir: Folder of results, which are no part of the data.

        Raises:
            ConfigError: If there is no such fold; there is none where the owners name the sections.
        """
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
