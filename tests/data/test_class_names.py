"""A data set may name its classes; else the method's names hold."""

from __future__ import annotations

import json

import pytest

from monai_mtl.data import class_names, examine_dataset
from monai_mtl.errors import DataError

from ..factories import edit_datalist, write_datalist


def test_declared_names_win_and_others_are_the_methods(tmp_path):
    default = ["background", "mass"]
    assert class_names(tmp_path, "seg", default) == default
    (tmp_path / "dataset.json").write_text(json.dumps({"classes": {"seg": ["background", "gland", "vessel"]}}))
    assert class_names(tmp_path, "seg", default) == ["background", "gland", "vessel"]
    assert class_names(tmp_path, "cls", default) == default
    (tmp_path / "dataset.json").write_text("[]")
    assert class_names(tmp_path, "seg", default) == default
    assert class_names(tmp_path / "an image.png", "seg", default) == default


@pytest.mark.parametrize("names", ["gland", ["gland"], ["a", "a"], ["a", 1], None])
def test_names_that_cannot_be_used_are_refused(tmp_path, names):
    (tmp_path / "dataset.json").write_text(json.dumps({"classes": {"seg": names}}))
    with pytest.raises(DataError, match="classes of 'seg' that cannot be used"):
        class_names(tmp_path, "seg", ["a", "b"])


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        class_names(tmp_path, "seg", ["a", "b"])


def test_classes_whose_mask_may_be_empty_are_named_in_any_letters(tmp_path):
    folder = write_datalist(tmp_path)
    edit_datalist(folder, lambda d: [c.update(label_cls=1) for name in ("training", "validation") for c in d[name]])
    classes = {"seg": ["background", "mass"], "cls": ["benign", "DCIS_only"]}
    kinds = [
        {one.kind for one in examine_dataset(folder, classes, empty_classes=names)[1].errors}
        for names in ([], ["DCIS only"])
    ]
    assert "empty_mask" in kinds[0]
    assert "empty_mask" not in kinds[1]
