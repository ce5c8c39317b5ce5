"""UDIAT dataset B as shipped."""

import pytest

from monai_mtl.data.importers import udiat
from monai_mtl.errors import DataError

from .trees import pictures, write_xlsx


def tree(folder):
    for name in ("original", "GT"):
        pictures(folder / name, "000001.png", "000012.png")
    write_xlsx(folder / "DatasetB.xlsx", [["Image ", "Type"], [1.0, "Benign"], ["000012", "Malignant "]])
    return folder


def test_the_set_is_read_as_shipped(tmp_path):
    cases = [
        {"image": f"original/{i}.png", "case_id": i, "label_cls": kind, "label_seg": f"GT/{i}.png"}
        for i, kind in (("000001", "benign"), ("000012", "malignant"))
    ]
    assert udiat.read(tree(tmp_path)) == {"training": cases, "validation": [], "test": []}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "DatasetB.xlsx").unlink(), "no table"),
        (lambda f: write_xlsx(f / "DatasetB.xlsx", [["image"], [1]]), "lacks 1 columns"),
        (lambda f: write_xlsx(f / "DatasetB.xlsx", [["image", "type"], [2, "Benign"]]), "disagree: 3 places"),
    ],
)
def test_a_fault_of_the_set_is_named(tmp_path, spoil, message):
    spoil(tree(tmp_path))
    with pytest.raises(DataError, match=message):
        udiat.read(tmp_path)
