"""A split keeps patients together, classes apart evenly, and is the same everywhere."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data import load_datalist, split_by_patient
from monai_mtl.data.splits import FOLDS
from monai_mtl.errors import ConfigError, DataError

from ..factories import edit_datalist, write_datalist
from .test_planted_faults import lesion, speckle

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}
BUSI = {"seg": ["background", "lesion"], "cls": ["benign", "malignant"]}
SECTIONS = ("training", "validation", "test")
# Of patients p00 to p24 with seed 0 and fold 0: . training, v validation, T test.
STORED = "vv..TT...T..T.T.v......vv"


def cases(patients: int = 25, folder: str = "/data") -> list[dict]:
    """One to three images a patient; every third patient has label 1."""
    return [
        {
            "image": f"{folder}/{i}-{k}.png",
            "case_id": f"{i}-{k}",
            "patient_id": f"p{i:02}",
            "label_cls": int(i % 3 == 0),
        }
        for i in range(patients)
        for k in range(1 + i % 3)
    ]


def ids(parts: dict[str, list[dict]], key: str = "case_id") -> dict[str, set[str]]:
    return {name: {case[key] for case in part} for name, part in parts.items()}


def test_the_assignment_is_the_one_stored():
    where = {patient: name for name, found in ids(split_by_patient(cases()), "patient_id").items() for patient in found}
    assert "".join({"training": ".", "validation": "v", "test": "T"}[where[p]] for p in sorted(where)) == STORED


@pytest.mark.parametrize("fold", range(FOLDS))
def test_no_patient_is_in_two_parts_and_each_part_has_all_classes(fold):
    parts = split_by_patient(cases(), fold=fold)
    patients = ids(parts, "patient_id")
    assert sum(len(found) for found in patients.values()) == len(set.union(*patients.values())) == 25
    assert sum(len(part) for part in parts.values()) == len(cases())
    assert all({case["label_cls"] for case in part} == {0, 1} for part in parts.values())


def test_over_the_folds_each_case_selects_once_and_is_reported_once():
    folds = [ids(split_by_patient(cases(), fold=fold)) for fold in range(FOLDS)]
    for name, times in (("test", 1), ("validation", 1), ("training", 3)):
        counts = Counter(case for fold in folds for case in fold[name])
        assert set(counts.values()) == {times}, name
        assert len(counts) == len(cases())


def test_neither_order_nor_place_matters():
    shuffled = cases(folder="/elsewhere/z")
    random.Random(1).shuffle(shuffled)
    assert ids(split_by_patient(shuffled)) == ids(split_by_patient(cases()))
    assert ids(split_by_patient(cases(), seed=1)) != ids(split_by_patient(cases()))


def test_a_fold_that_is_not_there_and_a_fold_of_a_named_split_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no fold 5"):
        split_by_patient(cases(), fold=5)
    folder = write_datalist(tmp_path)
    with pytest.raises(ConfigError, match="names its sections, so there are no folds"):
        load_datalist(folder, CLASSES, fold=1)


def test_sections_that_a_set_names_can_be_left_aside(tmp_path):
    folder = write_datalist(tmp_path, patients=10)
    named = ids(load_datalist(folder, CLASSES))
    parts = [ids(load_datalist(folder, CLASSES, named_split=False, fold=fold)) for fold in range(FOLDS)]
    assert named not in parts
    assert set.union(*(part["test"] for part in parts)) == set.union(*named.values())
    assert sum(len(part["test"]) for part in parts) == sum(map(len, named.values()))


def test_the_fold_turns_the_split_of_a_data_set(tmp_path):
    folder = write_datalist(tmp_path, patients=10, sections=False)
    tested = [ids(load_datalist(folder, CLASSES, fold=fold))["test"] for fold in range(FOLDS)]
    assert len(set.union(*tested)) == sum(map(len, tested)) == 10


def busi(folder: Path, count: int = 12) -> Path:
    """Benign and malignant images; "benign (2)" to "benign (4)" show what "benign (1)" shows."""
    for name in ("benign", "malignant"):
        (folder / name).mkdir(parents=True)
        for i in range(1, count + 1):
            shown = speckle((name == "malignant") * 100 + (1 if name == "benign" and i <= 4 else i))
            Image.fromarray(np.uint8(shown // 2 + 10 * (i % 5))).save(folder / name / f"{name} ({i}).png")
            Image.fromarray(lesion(name)).save(folder / name / f"{name} ({i})_mask.png")
    return folder


def test_without_patients_nearly_equal_pictures_stay_together_and_the_risk_is_told(tmp_path, caplog):
    folder = busi(tmp_path)
    alike = {f"benign ({i})" for i in range(1, 5)}
    for fold in range(FOLDS):
        parts = ids(load_datalist(folder, BUSI, fold=fold))
        assert sum(bool(alike & part) for part in parts.values()) == 1, fold
    assert "24 of 24 cases have no known patient" in caplog.text
    assert "(21 groups)" in caplog.text
    assert "patients may still be shared between training and test" in caplog.text
    assert ids(load_datalist(folder, BUSI, check=False, fold=4)) == parts


def test_patients_of_cases_csv_join_the_groups(tmp_path):
    folder = busi(tmp_path)
    rows = ["image,patient_id", "benign (4),a", "malignant (7),a", "malignant (8),a"]
    (folder / "cases.csv").write_text("\n".join(rows))
    together = {*(f"benign ({i})" for i in range(1, 5)), "malignant (7)", "malignant (8)"}
    parts = ids(load_datalist(folder, BUSI))
    assert [together <= part for part in parts.values()].count(True) == 1


def test_a_set_of_the_user_without_patients_is_still_refused(tmp_path):
    folder = write_datalist(tmp_path, patients=10, sections=False)
    edit_datalist(folder, lambda c: [case.pop("patient_id") for case in c["training"][:3]])
    with pytest.raises(DataError, match="3 of 10 cases have no patient_id, so a split could leak") as raised:
        load_datalist(folder, CLASSES)
    assert "cases.csv" in raised.value.fix
