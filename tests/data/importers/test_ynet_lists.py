"""The lists of Y-Net as shipped."""

import pytest

from monai_mtl.data.importers import ynet_lists
from monai_mtl.errors import DataError

from .trees import pictures


def tree(folder):
    for name in ("trainrgb", "trainannot"):
        pictures(folder / name, "1222_1_7200_3600_1.33.png", "1339_1_0_0_2.png", mode="RGB")
    lines = ["/trainrgb/1222_1_7200_3600_1.33.png, /trainannot/1222_1_7200_3600_1.33.png, 4"]
    lines += ["/trainrgb/1339_1_0_0_2.png,/trainannot/1339_1_0_0_2.png,0", ""]
    (folder / "train.txt").write_text("\n".join(lines))
    (folder / "val.txt").write_text("/valrgb/5.png, /valannot/5.png, 1\n")
    return folder


def case(part, name, **label):
    return {"image": f"{part}rgb/{name}.png", "case_id": name, "label_seg": f"{part}annot/{name}.png"} | label


def test_the_lists_are_read_as_shipped(tmp_path):
    assert ynet_lists.read(tree(tmp_path)) == {
        "training": [case("train", "1222_1_7200_3600_1.33", label_cls=3), case("train", "1339_1_0_0_2")],
        "validation": [case("val", "5", label_cls=0)],
        "test": [],
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/valrgb/6.png /valannot/6.png 1", "lines not understood: 1 place"),
        ("/valrgb/6.png, /valannot/6.png, benign", "lines not understood: 1 place"),
        ("/trainrgb/5.png, /valannot/5.png, 1", "same name: 1 place"),
    ],
)
def test_a_fault_of_the_lists_is_named(tmp_path, line, message):
    with (tree(tmp_path) / "val.txt").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=message):
        ynet_lists.read(tmp_path)


def test_other_lists_are_not_taken_for_these(tmp_path):
    tree(tmp_path)
    (tmp_path / "train.txt").write_text("a.png b.png\n")
    assert not ynet_lists.matches(tmp_path)
