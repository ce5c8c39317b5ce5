"""Splits by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sklearn.model_selection import StratifiedGroupKFold

from ..errors import ConfigError, DataError

__all__ = ["FOLDS", "split_by_patient"]

FOLDS = 5


def split_by_patient(
    cases: Sequence[dict],
    stratify: str = "label_cls",
    seed: int = 0,
    fold: int = 0,
    groups: Sequence[str] | None = None,
) -> dict[str, list[dict]]:
    """Three fifths of the patients train, one fifth selects the checkpoint, one fifth is reported.

    All cases of a patient stay together; the shares of the values of ``stratify`` are kept alike as far
    as that allows (scikit-learn's ``StratifiedGroupKFold``). Neither the order of ``cases`` nor the place of
    their files matters. Over the folds 0 to 4 each fifth selects once and is reported once.

    Args:
        cases: Cases with ``case_id`` and ``patient_id``.
        stratify: Key whose values are balanced; a case without it counts as a value of its own.
        seed: Seed of the shuffle.
        fold: Which of the five rotations of the fifths.
        groups: Instead of ``patient_id``, of each case: what stays together where patients are not known.

    Returns:
        Lists under ``training``, ``validation`` and ``test``.

    Raises:
        ConfigError: If there is no such fold.
        DataError: If a case has no ``patient_id`` or there are fewer than five patients.
    """
    if fold not in range(FOLDS):
        raise ConfigError(f"there is no fold {fold}", expected=f"0 to {FOLDS - 1}", fix="correct fold")
    if groups is None:
        nameless = [str(case.get("case_id", case["image"])) for case in cases if not case.get("patient_id")]
        if nameless:
            raise DataError(
                f"{len(nameless)} of {len(cases)} cases have no patient_id, so a split could leak patients",
                nameless,
                fix="add a patient_id to each case, or a table cases.csv with the columns image and patient_id",
            )
        groups = [str(case["patient_id"]) for case in cases]
    keys = [(group, str(case.get("case_id", case["image"]))) for group, case in zip(groups, cases, strict=True)]
    order = sorted(range(len(cases)), key=keys.__getitem__)
    cases, groups = [cases[i] for i in order], [groups[i] for i in order]
    if len(set(groups)) < FOLDS:
        raise DataError(
            f"{len(set(groups))} patients cannot be split into training, validation and test",
            expected=f"at least {FOLDS} patients",
            fix="name the splits yourself, in a column 'split' of labels.csv or as lists in dataset.json",
        )
    strata = [str(case.get(stratify)) for case in cases]
    if max(Counter(strata).values()) < FOLDS:
        strata = [""] * len(cases)  # too few of each to balance anything
    parts = [
        [cases[i] for i in held_out]
        for _, held_out in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(cases, strata, groups)
    ]
    *training, validation, test = parts[fold:] + parts[:fold]
    return {"training": [case for part in training for case in part], "validation": validation, "test": test}
