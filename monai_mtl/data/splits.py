"""Splits by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sklearn.model_selection import StratifiedGroupKFold

from ..errors import DataError

__all__ = ["split_by_patient"]

FOLDS = 5


def split_by_patient(cases: Sequence[dict], stratify: str = "label_cls", seed: int = 0) -> dict[str, list[dict]]:
    """Three fifths of the patients train, one fifth selects the checkpoint, one fifth is reported.

    All cases of a patient stay together; the shares of the values of ``stratify`` are kept alike as far
    as that allows (scikit-learn's ``StratifiedGroupKFold``). The order of ``cases`` does not matter.

    Args:
        cases: Cases with ``image`` and ``patient_id``.
        stratify: Key whose values are balanced; a case without it counts as a value of its own.
        seed: Seed of the shuffle.

    Returns:
        Lists under ``training``, ``validation`` and ``test``.

    Raises:
        DataError: If a case has no ``patient_id`` or there are fewer than five patients.
    """
    nameless = [case["image"] for case in cases if not case.get("patient_id")]
    if nameless:
        raise DataError(
            f"{len(nameless)} of {len(cases)} cases have no patient_id, so a split could leak patients",
            nameless,
            fix="add a patient_id to each case",
        )
    cases = sorted(cases, key=lambda case: (str(case["patient_id"]), str(case["image"])))
    patients = [str(case["patient_id"]) for case in cases]
    if len(set(patients)) < FOLDS:
        raise DataError(
            f"{len(set(patients))} patients cannot be split into training, validation and test",
            expected=f"at least {FOLDS} patients",
            fix="name the splits yourself, in a column 'split' of labels.csv or as lists in dataset.json",
        )
    strata = [str(case.get(stratify)) for case in cases]
    if max(Counter(strata).values()) < FOLDS:
        strata = [""] * len(cases)  # too few of each to balance anything
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(cases, strata, patients)
    parts = [[cases[i] for i in held_out] for _, held_out in folds]
    return {"training": [*parts[0], *parts[1], *parts[2]], "validation": parts[3], "test": parts[4]}
