"""ISIC 2018: photos with masks, photos with one of seven diagnoses, lesions that several photos show."""

import shutil

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data import load_datalist
from monai_mtl.data.importers import isic2018
from monai_mtl.errors import ConfigError, DataError

from .trees import pictures, write_csv

HEADER = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
SEVEN = HEADER.split(",")[1:]


def row(number, diagnosis):
    return ",".join([f"ISIC_{number}", *("1.0" if one == diagnosis else "0.0" for one in SEVEN)])


def drawn(folder, part, *numbers):
    """Photos and masks of task 1."""
    pictures(folder / f"ISIC2018_Task1-2_{part}_Input", *(f"ISIC_{n}.jpg" for n in numbers))
    pictures(folder / f"ISIC2018_Task1-2_{part}_Input", *(f"ISIC_{n}_superpixels.png" for n in numbers), mode="RGB")
    pictures(folder / f"ISIC2018_Task1_{part}_GroundTruth", *(f"ISIC_{n}_segmentation.png" for n in numbers))


def told(folder, part, **diagnoses):
    """Photos and diagnoses of task 3; names of photos begin with i."""
    pictures(folder / f"ISIC2018_Task3_{part}_Input", *(f"ISIC_{n[1:]}.jpg" for n in diagnoses))
    table = folder / f"ISIC2018_Task3_{part}_GroundTruth" / f"ISIC2018_Task3_{part}_GroundTruth.csv"
    write_csv(table, HEADER, *(row(n[1:], one) for n, one in diagnoses.items()))


def lesions(folder, *rows):
    columns = "image,lesion_id,diagnosis confirm type"
    write_csv(folder / "ISIC2018_Task3_Training_LesionGroupings.csv", columns, *rows)


def tree(folder):
    drawn(folder, "Training", "0000000")
    drawn(folder, "Validation", "0012255")
    drawn(folder, "Test", "0012169")
    told(folder, "Training", i0024306="NV", i0024310="MEL", i0024329="AKIEC")
    told(folder, "Validation", i0034321="BKL")
    told(folder, "Test", i0034524="BCC")
    ids = ("0024306,HAM_1,histopathology", "0024310,HAM_2,histopathology", "0024329,HAM_1,histopathology")
    lesions(folder, *(f"ISIC_{one}" for one in ids))
    return folder


def mask_case(part, number):
    masks = f"ISIC2018_Task1_{part}_GroundTruth/ISIC_{number}_segmentation.png"
    photo = f"ISIC2018_Task1-2_{part}_Input/ISIC_{number}.jpg"
    return {"image": photo, "case_id": f"ISIC_{number}", "label_seg": masks}


def class_case(part, number, label, **more):
    photo = f"ISIC2018_Task3_{part}_Input/ISIC_{number}.jpg"
    return {"image": photo, "case_id": f"ISIC_{number}", "label_cls": label, **more}


def test_both_tasks_are_read_as_shipped(tmp_path):
    assert isic2018.read(tree(tmp_path)) == {
        "training": [
            mask_case("Training", "0000000"),
            class_case("Training", "0024306", "nevus", lesion_id="HAM_1"),
            class_case("Training", "0024310", "melanoma", lesion_id="HAM_2"),
            class_case("Training", "0024329", "actinic_keratosis_or_bowen", lesion_id="HAM_1"),
        ],
        "validation": [mask_case("Validation", "0012255"), class_case("Validation", "0034321", "benign_keratosis")],
        "test": [mask_case("Test", "0012169"), class_case("Test", "0034524", "basal_cell_carcinoma")],
    }


@pytest.mark.parametrize(("akiec", "called"), [("malignant", "malignant"), ("benign", "benign")])
def test_melanoma_and_basal_cell_carcinoma_are_malignant_and_akiec_as_chosen(tmp_path, akiec, called):
    told(tmp_path, "Training", **{f"i{i}": one for i, one in enumerate(SEVEN)})
    drawn(tmp_path, "Training", "0000000")
    mask_only, *found = isic2018.read(tmp_path, malignancy=True, akiec=akiec)["training"]
    assert mask_only == mask_case("Training", "0000000")
    labels = {case["diagnosis"]: case["label_cls"] for case in found}
    assert labels.pop("actinic_keratosis_or_bowen") == called
    assert {name for name, label in labels.items() if label == "malignant"} == {"melanoma", "basal_cell_carcinoma"}
    assert len(labels) == 6


def test_an_unknown_choice_for_akiec_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="unknown akiec 'unsure'"):
        isic2018.read(tree(tmp_path), akiec="unsure")


def test_a_photo_of_both_tasks_is_one_case_and_stays_in_the_latest_part(tmp_path, caplog):
    drawn(tmp_path, "Training", "0000000", "0000001")
    told(tmp_path, "Training", i0000000="NV", i0000002="MEL")
    told(tmp_path, "Test", i0000001="BCC")
    found = isic2018.read(tmp_path)
    assert found["training"] == [
        mask_case("Training", "0000000") | {"label_cls": "nevus"},
        class_case("Training", "0000002", "melanoma"),
    ]
    assert found["test"] == [class_case("Test", "0000001", "basal_cell_carcinoma")]
    assert "1 of 3 left out, training photos that a later part holds too: ISIC_0000001" in caplog.text


def test_a_test_part_without_ground_truth_is_left_out_and_told(tmp_path, caplog):
    told(tmp_path, "Training", i0024306="NV")
    told(tmp_path, "Test", i0034524="BCC")
    shutil.rmtree(tmp_path / "ISIC2018_Task3_Test_GroundTruth")
    assert isic2018.read(tmp_path)["test"] == []
    assert "1 of 1 left out, for ISIC2018_Task3_Test_Input came without" in caplog.text


def without(part):
    return lambda folder: shutil.rmtree(folder / f"ISIC2018_{part}")


def diagnoses(*rows):
    name = "ISIC2018_Task3_Validation_GroundTruth"
    return lambda folder: write_csv(folder / name / f"{name}.csv", *rows)


@pytest.mark.parametrize(
    ("spoil", "message", "where"),
    [
        (without("Task1_Training_GroundTruth"), "no ground truth for ISIC2018_Task1-2_Training_Input/", ""),
        (without("Task3_Training_GroundTruth"), "no ground truth for ISIC2018_Task3_Training_Input/", ""),
        (without("Task3_Test_Input"), "no photos ISIC2018_Task3_Test_Input/", "Test_GroundTruth.csv is there"),
        (without("Task1-2_Test_Input"), "no photos ISIC2018_Task1-2_Test_Input/", "Task1_Test_GroundTruth is there"),
        (diagnoses(HEADER, row("0034321", "none")), "gives no diagnosis: 1 place", "ISIC_0034321"),
        (diagnoses(HEADER, row("0034321", "MEL")[:-3] + "1.0"), "gives two diagnoses: 1 place", "ISIC_0034321"),
        (diagnoses(HEADER, row("0034321", "MEL")[:-3] + "0.4"), "more than 0.0 and 1.0: 1 place", "VASC: '0.4'"),
        (diagnoses(HEADER, row("0034322", "MEL")), "disagree: 2 places", "no row: ISIC_0034321"),
        (diagnoses(HEADER, *[row("0034321", "MEL")] * 2), "with the same name: 1 place", "ISIC_0034321"),
        (diagnoses("image,MEL", "ISIC_0034321,1.0"), "lacks 6 columns", "NV"),
        (lambda f: lesions(f, "ISIC_0024306,HAM_1,histopathology"), "LesionGroupings.csv and .* disagree", "no row"),
        (lambda f: write_csv(f / "ISIC2018_Task3_Training_LesionGroupings.csv", "image", "a"), "lacks 1", "lesion_id"),
        (
            lambda f: pictures(f / "ISIC2018_Task1_Test_GroundTruth", "ISIC_9_segmentation.png"),
            "masks without a photo in ISIC2018_Task1-2_Test_Input/: 1 place",
            "ISIC_9_segmentation.png",
        ),
    ],
)
def test_a_fault_is_named(tmp_path, spoil, message, where):
    spoil(tree(tmp_path))
    with pytest.raises(DataError, match=message) as error:
        isic2018.read(tmp_path)
    assert where in "\n".join(error.value.where)
    assert error.value.fix


def test_photos_of_one_lesion_are_never_in_two_sections_and_superpixels_are_no_case(tmp_path, caplog):
    generator, names = np.random.default_rng(0), [f"{i:07d}" for i in range(30)]
    told(tmp_path, "Training", **{f"i{name}": "NV" if i % 3 else "MEL" for i, name in enumerate(names)})
    for name in names:
        noise = generator.integers(0, 256, (80, 96, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "ISIC2018_Task3_Training_Input" / f"ISIC_{name}.jpg")
    photos = tmp_path / "ISIC2018_Task3_Training_Input"
    pictures(photos, "ISIC_0000000_superpixels.png", "ISIC_0000000_attribute_globules.png", "stray.png")
    lesions(tmp_path, *(f"ISIC_{name},HAM_{i // 3},histopathology" for i, name in enumerate(names)))
    sections = load_datalist(
        tmp_path,
        {"cls": ["benign", "malignant"]},
        options={"malignancy": True},
        named_split=False,
        reader={"color": "rgb"},
    )
    where = [{case["lesion_id"] for case in sections[name]} for name in ("training", "validation", "test")]
    assert [len(one) for one in where] == [6, 2, 2]
    assert len(set.union(*where)) == 10
    assert (
        "1 of 31 image files in the data folder belong to no case: ISIC2018_Task3_Training_Input/stray.png"
        in caplog.text
    )
