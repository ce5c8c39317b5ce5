"""cases.csv beside any layout: patients, splits, cases to leave out."""

from __future__ import annotations

import pytest

from monai_mtl.data import examine_dataset, load_datalist
from monai_mtl.errors import DataError

from ..factories import edit_datalist, write_datalist

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}


def write(folder, *rows):
    (folder / "cases.csv").write_text("\n".join(("image,patient_id,split,exclude", *rows)))


def test_it_adds_patients_moves_cases_and_leaves_some_out(tmp_path, caplog):
    folder = write_datalist(tmp_path, patients=8)
    edit_datalist(folder, lambda c: c["training"][0].pop("patient_id"))
    write(folder, "images/case0.png,new,,", "case1,,test,", "case2,,,calipers", "case7,other,validation,")
    sections = load_datalist(folder, CLASSES)
    names = {name: [case["case_id"] for case in cases] for name, cases in sections.items()}
    assert names == {
        "training": ["case0", "case3", "case4", "case5"],
        "validation": ["case6", "case7"],
        "test": ["case1"],
    }
    assert [case["patient_id"] for case in sections["training"][:2]] == ["new", "patient3"]
    assert sections["validation"][1]["patient_id"] == "other"
    assert "1 cases left out by cases.csv: case2" in caplog.text
    assert not examine_dataset(folder, CLASSES)[1].findings, "files of a case left out are not unused"


def test_with_a_salt_the_names_of_cases_left_out_are_not_told(tmp_path, caplog):
    folder = write_datalist(tmp_path)
    write(folder, "case2,,,x")
    load_datalist(folder, CLASSES, case_id_salt="s")
    assert "1 cases left out by cases.csv" in caplog.text
    assert "case2" not in caplog.text


def test_rows_that_cannot_be_used_are_all_named(tmp_path):
    folder = write_datalist(tmp_path)
    write(folder, "case9,,,", "case1,,train,", "case0,,,", "images/case0.png,,,")
    with pytest.raises(DataError, match=r"3 of 4 rows of cases\.csv") as raised:
        load_datalist(folder, CLASSES)
    assert raised.value.where == ["no such case: case9", "unknown split 'train': case1", "twice: images/case0.png"]
    (folder / "cases.csv").write_text("case,patient_id\ncase0,p")
    with pytest.raises(DataError, match="lacks 1 columns"):
        load_datalist(folder, CLASSES)
