"""BUS-BRA as shipped, and its flattened part."""

import os
from collections import Counter
from pathlib import Path

import pytest

from monai_mtl.data.importers import bus_bra
from monai_mtl.errors import DataError

from .trees import pictures, write_csv

HEADER = "ID,Case,Histology,Pathology,BIRADS,Device,Width,Height,Side,BBOX"
ROWS = (
    "bus_0001-l,1,fibroadenoma,benign,4,GE Logiq 7,4,3,left,[0]",
    "bus_0006-s,6,cyst,Benign,2,Toshiba,4,3,single,[0]",
)


def tree(folder):
    pictures(folder / "Images", "bus_0001-l.png", "bus_0006-s.png")
    pictures(folder / "Masks", "mask_0001-l.png", "mask_0006-s.png")
    write_csv(folder / "bus_data.csv", HEADER, *ROWS)
    return folder


def flat_tree(folder):
    pictures(folder / "images", "benign_0847-s.png")
    pictures(folder / "masks", "benign_0847-s.png")
    row = "images/benign_0847-s.png,masks/benign_0847-s.png,benign,bus_0847-s,0847"
    write_csv(folder / "labels.csv", "image,mask,label,bus_bra_id,patient", row)
    return folder


def test_the_set_is_read_as_shipped(tmp_path):
    shared = {"label_cls": "benign"}
    first = {"image": "Images/bus_0001-l.png", "case_id": "bus_0001-l", "patient_id": "1", "birads": 4, "side": "left"}
    first |= {"label_seg": "Masks/mask_0001-l.png", "histology": "fibroadenoma", "device": "GE Logiq 7"}
    last = {"image": "Images/bus_0006-s.png", "case_id": "bus_0006-s", "patient_id": "6", "birads": 2, "side": "single"}
    last |= {"label_seg": "Masks/mask_0006-s.png", "histology": "cyst", "device": "Toshiba"}
    assert bus_bra.read(tree(tmp_path)) == {"training": [first | shared, last | shared], "validation": [], "test": []}


def test_the_flattened_shape_is_read(tmp_path):
    case = {"image": "images/benign_0847-s.png", "case_id": "bus_0847-s", "patient_id": "0847", "label_cls": "benign"}
    case["label_seg"] = "masks/benign_0847-s.png"
    assert bus_bra.read(flat_tree(tmp_path)) == {"training": [case], "validation": [], "test": []}


@pytest.mark.parametrize(
    ("make", "spoil", "message"),
    [
        (tree, lambda f: write_csv(f / "bus_data.csv", "ID,Case", "bus_0001-l,1"), "lacks 5 columns"),
        (tree, lambda f: (f / "Images" / "bus_0006-s.png").rename(f / "Images" / "bus_7.png"), "disagree: 2 places"),
        (flat_tree, lambda f: pictures(f / "images", "more.png"), "disagree: 1 place"),
    ],
)
def test_a_fault_of_the_set_is_named(tmp_path, make, spoil, message):
    spoil(make(tmp_path))
    with pytest.raises(DataError, match=message):
        bus_bra.read(tmp_path)


@pytest.mark.realdata
def test_real_images_are_counted():
    cases = bus_bra.read(Path(os.environ["MONAI_MTL_DATA"]) / "bus_bra")["training"]
    assert Counter(case["label_cls"] for case in cases) == {"benign": 16, "malignant": 14}
    assert len({case["patient_id"] for case in cases}) == 30
