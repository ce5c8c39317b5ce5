"""BUSI as shipped, and in the folders of ACSNet."""

import pytest

from monai_mtl.data.importers import busi
from monai_mtl.errors import DataError

from .trees import pictures


def tree(folder):
    """Names with spaces and parentheses, more masks than one, masks of all modes, a mask that is missing."""
    pictures(folder / "benign", "benign (2).png", "benign (10).png", "benign (2)_mask.png")
    pictures(folder / "benign", "benign (2)_mask_1.png", "benign (2)_mask_10.png", mode="1")
    pictures(folder / "benign", "benign (2)_mask_2.png", mode="RGBA")
    pictures(folder / "malignant", "malignant (1).jpg")
    pictures(folder / "malignant", "malignant (1)_mask.png", mode="RGB")
    pictures(folder / "normal", "normal (1).png", "normal (1)_mask.png")
    (folder / "benign" / "._benign (1).png").touch()
    return folder


def case(folder, name, label_seg):
    return {"image": f"{folder}/{name}", "case_id": name[:-4], "label_cls": folder, "label_seg": label_seg}


EXPECTED = [
    case("benign", "benign (2).png", [f"benign/benign (2)_mask{i}.png" for i in ("", "_1", "_2", "_10")]),
    case("benign", "benign (10).png", "benign/benign (10)_mask.png"),
    case("malignant", "malignant (1).jpg", "malignant/malignant (1)_mask.png"),
    case("normal", "normal (1).png", "normal/normal (1)_mask.png"),
]


def test_the_set_is_read_as_shipped(tmp_path):
    assert busi.read(tree(tmp_path)) == {"training": EXPECTED, "validation": [], "test": []}


def test_the_normal_images_may_be_left_out(tmp_path):
    for path in (tree(tmp_path) / "normal").iterdir():
        path.unlink()
    (tmp_path / "normal").rmdir()
    assert busi.read(tmp_path)["training"] == EXPECTED[:3]


def test_the_normal_images_may_be_left_out_by_an_option(tmp_path):
    assert busi.read(tree(tmp_path), normal=False)["training"] == EXPECTED[:3]


def apart(folder):
    pictures(folder / "imgs" / "benign", "1_mask.png", "a.png")
    pictures(folder / "masks" / "benign", "1_mask_mask.png", "a_mask.png", "a_mask_1.png")
    pictures(folder / "imgs" / "malignant", "b.png")
    return folder


def test_images_and_masks_may_lie_in_folders_of_their_own(tmp_path):
    assert busi.read(apart(tmp_path))["training"] == [
        {"image": f"imgs/{name}.png", "case_id": name.split("/")[1], "label_cls": name.split("/")[0], "label_seg": mask}
        for name, mask in (
            ("benign/1_mask", "masks/benign/1_mask_mask.png"),
            ("benign/a", ["masks/benign/a_mask.png", "masks/benign/a_mask_1.png"]),
            ("malignant/b", "masks/malignant/b_mask.png"),
        )
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "benign" / "benign (2).png").unlink(), "masks without an image: 4 places"),
        (lambda f: (f / "malignant" / "malignant (1).jpg").rename(f / "malignant" / "benign (2).jpg"), "same name"),
        (lambda f: pictures(f / "benign", "benign (2).jpg"), "same name: 1 place"),
        (lambda f: [p.unlink() for p in (f / "normal").iterdir()], "no files in"),
    ],
)
def test_a_fault_of_the_set_is_named(tmp_path, spoil, message):
    spoil(tree(tmp_path))
    if message == "same name":
        (tmp_path / "malignant" / "malignant (1)_mask.png").unlink()
    with pytest.raises(DataError, match=message) as raised:
        busi.read(tmp_path)
    assert raised.value.fix
