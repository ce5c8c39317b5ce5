"""ISIC 2017 as shipped, and its flattened part."""

import os
from collections import Counter
from pathlib import Path

import pytest

from monai_mtl.data.importers import isic2017
from monai_mtl.errors import DataError

from .trees import pictures, write_csv

HEADER = "image_id,melanoma,seborrheic_keratosis"


def part(folder, name, data, *rows):
    """One part; its images and masks nest once more if ``data`` says so."""
    nest = [folder / f"ISIC-2017_{name}_{what}" for what in ("Data", "Part1_GroundTruth")]
    images, masks = (place / place.name if data == "nested" else place for place in nest)
    ids = [row.split(",")[0] for row in rows]
    pictures(images, *(f"{i}.jpg" for i in ids))
    pictures(images, *(f"{i}_superpixels.png" for i in ids), mode="RGB")
    write_csv(images / f"{images.name}_metadata.csv", "image_id,age_approximate,sex", *(f"{i},55,unknown" for i in ids))
    pictures(masks, *(f"{i}_segmentation.png" for i in ids))
    write_csv(folder / f"ISIC-2017_{name}_Part3_GroundTruth.csv", HEADER, *rows)


def tree(folder, test="Test_v2"):
    part(folder, "Training", "nested", "ISIC_0000001,1.0,0.0", "ISIC_0000000,0.0,0.0")
    part(folder, "Validation", "plain", "ISIC_0001769,0.0,1.0")
    part(folder, test, "plain", "ISIC_0012086,0,1")
    return folder


def flat_tree(folder):
    pictures(folder / "images", "ISIC_0000043.jpg")
    pictures(folder / "masks", "ISIC_0000043.png")
    row = "images/ISIC_0000043.jpg,masks/ISIC_0000043.png,ISIC_0000043,melanoma,training,2"
    write_csv(folder / "labels.csv", "image,mask,isic_id,diagnosis,isic2017_split,fold", row)
    return folder


def case(name, number, label, nest=False):
    images, masks = (f"ISIC-2017_{name}_{what}" for what in ("Data", "Part1_GroundTruth"))
    images, masks = (f"{place}/{place}" if nest else place for place in (images, masks))
    stem = f"ISIC_{number}"
    paths = {"image": f"{images}/{stem}.jpg", "label_seg": f"{masks}/{stem}_segmentation.png"}
    return paths | {"case_id": stem, "label_cls": label}


@pytest.mark.parametrize("test", ["Test_v2", "Test"])
def test_the_parts_are_read_as_shipped(tmp_path, test):
    assert isic2017.read(tree(tmp_path, test)) == {
        "training": [case("Training", "0000001", "melanoma", True), case("Training", "0000000", "nevus", True)],
        "validation": [case("Validation", "0001769", "seborrheic_keratosis")],
        "test": [case(test, "0012086", "seborrheic_keratosis")],
    }


def test_a_part_that_is_not_on_disk_is_empty(tmp_path):
    part(tmp_path, "Training", "plain", "ISIC_0000000,0.0,0.0")
    expected = {"training": [case("Training", "0000000", "nevus")], "validation": [], "test": []}
    assert isic2017.read(tmp_path) == expected


def test_the_flattened_shape_is_read(tmp_path):
    case = {"image": "images/ISIC_0000043.jpg", "case_id": "ISIC_0000043", "label_cls": "melanoma", "fold": 2}
    case["label_seg"] = "masks/ISIC_0000043.png"
    assert isic2017.read(flat_tree(tmp_path)) == {"training": [case], "validation": [], "test": []}


def test_the_diagnosis_becomes_benign_or_malignant_where_asked(tmp_path):
    part(tmp_path, "Training", "plain", "ISIC_0000000,0.0,0.0", "ISIC_0000001,1.0,0.0", "ISIC_0000002,0.0,1.0")
    found = isic2017.read(tmp_path, malignancy=True)["training"]
    assert [(case["label_cls"], case["diagnosis"]) for case in found] == [
        ("benign", "nevus"), ("malignant", "melanoma"), ("benign", "seborrheic_keratosis"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "no table"),
        (["image_id,melanoma", "ISIC_0001769,1.0"], "lacks 1 columns"),
        ([HEADER, "ISIC_0001769,1.0,0.0", "ISIC_0001770,1.0,0.0"], "disagree: 1 place"),
        ([HEADER, "ISIC_0001769,1.0,1.0"], "gives two diagnoses: 1 place"),
    ],
)
def test_a_fault_of_a_part_is_named(tmp_path, rows, message):
    table = tree(tmp_path) / "ISIC-2017_Validation_Part3_GroundTruth.csv"
    table.unlink() if rows is None else write_csv(table, *rows)
    with pytest.raises(DataError, match=message):
        isic2017.read(tmp_path)


@pytest.mark.realdata
def test_real_images_are_counted():
    cases = isic2017.read(Path(os.environ["MONAI_MTL_DATA"]) / "isic2017_labelled")["training"]
    assert Counter(case["label_cls"] for case in cases) == {"nevus": 121, "seborrheic_keratosis": 78, "melanoma": 47}
