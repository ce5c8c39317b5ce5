"""ISIC 2016: photos with masks and classes, or one of both."""

import pytest

from monai_mtl.data.importers import isic2016
from monai_mtl.errors import DataError

from .trees import pictures, write_csv


def part(folder, name, *rows, number=1, masks=True, nest=False):
    """One part; its photos and masks nest once more where asked."""
    place = folder / f"ISBI2016_ISIC_Part{number}_{name}_Data"
    ids = [row.split(",")[0] for row in rows]
    pictures(place / place.name if nest else place, *(f"{i}.jpg" for i in ids))
    if masks:
        place = folder / f"ISBI2016_ISIC_Part1_{name}_GroundTruth"
        pictures(place / place.name if nest else place, *(f"{i}_Segmentation.png" for i in ids))
    if "," in rows[0]:
        write_csv(folder / f"ISBI2016_ISIC_Part3_{name}_GroundTruth.csv", *rows)


def tree(folder):
    part(folder, "Training", "ISIC_0000002,malignant", "ISIC_0000000,benign", nest=True)
    part(folder, "Test", "ISIC_0000003,0.0", "ISIC_0000013,1.0")
    return folder


def case(name, number, label=None, part=1, nest=False, mask=True):
    photos, masks = f"ISBI2016_ISIC_Part{part}_{name}_Data", f"ISBI2016_ISIC_Part1_{name}_GroundTruth"
    photos, masks = (f"{place}/{place}" if nest else place for place in (photos, masks))
    found = {"image": f"{photos}/ISIC_{number}.jpg", "case_id": f"ISIC_{number}"}
    found |= {"label_seg": f"{masks}/ISIC_{number}_Segmentation.png"} if mask else {}
    return found | ({"label_cls": label} if label else {})


def test_both_tasks_are_read_as_shipped(tmp_path):
    assert isic2016.read(tree(tmp_path)) == {
        "training": [
            case("Training", "0000002", "malignant", nest=True),
            case("Training", "0000000", "benign", nest=True),
        ],
        "validation": [],
        "test": [case("Test", "0000003", "benign"), case("Test", "0000013", "malignant")],
    }


def test_photos_of_one_task_have_its_labels_alone(tmp_path):
    part(tmp_path / "masks", "Training", "ISIC_0000000")
    part(tmp_path / "classes", "Training", "ISIC_0000000,benign", number=3, masks=False)
    assert isic2016.matches(tmp_path / "classes")
    assert isic2016.read(tmp_path / "masks")["training"] == [case("Training", "0000000")]
    found = isic2016.read(tmp_path / "classes")["training"]
    assert found == [case("Training", "0000000", "benign", part=3, mask=False)]


def test_a_test_part_without_ground_truth_is_left_out_and_told(tmp_path, caplog):
    part(tmp_path, "Training", "ISIC_0000000,benign")
    part(tmp_path, "Test", "ISIC_0000003", masks=False)
    assert isic2016.read(tmp_path)["test"] == []
    assert "1 of 1 left out, for ISBI2016_ISIC_Part1_Test_Data came without" in caplog.text


def no_truth(folder):
    part(folder, "Training", "ISIC_0000000", masks=False)


def no_photos(folder):
    tree(folder)
    for path in (folder / "ISBI2016_ISIC_Part1_Test_Data").iterdir():
        path.unlink()
    (folder / "ISBI2016_ISIC_Part1_Test_Data").rmdir()


def no_photo_of_a_mask(folder):
    tree(folder)
    pictures(folder / "ISBI2016_ISIC_Part1_Test_GroundTruth", "ISIC_0000099_Segmentation.png")


@pytest.mark.parametrize(
    ("spoil", "message", "where"),
    [
        (no_truth, "no ground truth for ISBI2016_ISIC_Part1_Training_Data/", ""),
        (no_photos, "no photos ISBI2016_ISIC_Part1_Test_Data/", "ISBI2016_ISIC_Part1_Test_GroundTruth is there"),
        (no_photo_of_a_mask, "masks without a photo in .*Test_Data/: 1 place", "ISIC_0000099_Segmentation.png"),
        (lambda f: part(f, "Training", "ISIC_0000000,naevus"), "unknown classes in .*: 1 place", "0: 'naevus'"),
        (
            lambda f: write_csv(tree(f) / "ISBI2016_ISIC_Part3_Test_GroundTruth.csv", "ISIC_0000003,0", "ISIC_99,1"),
            "Test_GroundTruth.csv and ISBI2016_ISIC_Part1_Test_Data/ disagree: 2 places",
            "no row: ISIC_0000013",
        ),
        (
            lambda f: (tree(f) / "ISBI2016_ISIC_Part3_Test_GroundTruth.csv").write_text(""),
            "Test_GroundTruth.csv has no rows",
            "",
        ),
    ],
)
def test_a_fault_is_named(tmp_path, spoil, message, where):
    spoil(tmp_path)
    with pytest.raises(DataError, match=message) as error:
        isic2016.read(tmp_path)
    assert where in "\n".join(error.value.where)
    assert error.value.fix
