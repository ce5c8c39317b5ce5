"""The mask of a case gets the grid of its image."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, LoadImaged, Rotate90d
from PIL import Image

from monai_mtl.data import load_datalist
from monai_mtl.errors import DataError, ImageError
from monai_mtl.transforms import LoadMaskd

SIZE = (7, 5)
MASK = np.random.RandomState(0).randint(0, 2, SIZE[::-1]).astype(np.uint8)
AFFINE = torch.diag(torch.tensor([0.07, 0.05, 1.0, 1.0], dtype=torch.float64))


def image(channels: int = 1) -> MetaTensor:
    return MetaTensor(torch.rand(channels, *SIZE), affine=AFFINE, meta={"bits": 12, "filename_or_obj": "a.dcm"})


@pytest.fixture
def mask(tmp_path) -> str:
    Image.fromarray(MASK * 255).save(tmp_path / "m.png")
    return str(tmp_path / "m.png")


@pytest.mark.parametrize("case", [{}, {"label_seg": None}, {"label_cls": 1}])
def test_a_case_without_a_mask_is_left_as_it_is(case):
    case = {"image": image(), **case}
    done = LoadMaskd()(case)
    assert done == case
    assert done is not case


def test_a_mask_gets_a_channel_and_the_meta_data_of_its_image(mask):
    case = {"image": image(channels=3), "label_seg": mask, "other": 1}
    done = LoadMaskd()(case)
    loaded = done["label_seg"]
    assert isinstance(loaded, MetaTensor)
    assert loaded.dtype == torch.uint8
    assert np.array_equal(loaded.numpy(), MASK.T[None])
    assert torch.equal(loaded.affine, AFFINE)
    assert loaded.meta["filename_or_obj"] == "a.dcm"
    assert case["label_seg"] == mask
    assert done["image"] is case["image"]
    assert done["other"] == 1


def test_an_image_without_meta_data_will_do(mask):
    done = LoadMaskd()({"image": torch.rand(1, *SIZE), "label_seg": mask})
    assert np.array_equal(done["label_seg"].numpy(), MASK.T[None])


@pytest.mark.parametrize(
    ("source", "count"),
    [([], 0), ({"polygons": [[[0.5, 0.5], [3.5, 0.5], [3.5, 2.5], [0.5, 2.5]]]}, 6), ({"polygons": [[[6, 0]]]}, 1)],
)
def test_forms_without_a_file(source, count):
    loaded = LoadMaskd()({"image": image(), "label_seg": source})["label_seg"]
    assert loaded.shape == (1, *SIZE)
    assert int(loaded.sum()) == count
    assert torch.equal(loaded.affine, AFFINE)


def test_only_the_key_of_the_case_allows_another_size(tmp_path):
    Image.fromarray(np.kron(MASK, np.ones((3, 3), np.uint8))).save(tmp_path / "m.png")
    case = {"image": image(), "label_seg": str(tmp_path / "m.png")}
    for refused in (case, case | {"rescale_seg": False}):
        with pytest.raises(ImageError, match="21 x 15 pixels, its image 7 x 5"):
            LoadMaskd()(refused)
    loaded = LoadMaskd()(case | {"rescale_seg": True})["label_seg"]
    assert np.array_equal(loaded.numpy(), MASK.T[None])
    other = LoadMaskd(rescale_key="scaled")(case | {"scaled": True})["label_seg"]
    assert torch.equal(other.as_tensor(), loaded.as_tensor())


def test_keys_and_classes_are_as_given(tmp_path):
    Image.fromarray(MASK * 3).save(tmp_path / "m.png")
    case = {"view": image(), "tissue": str(tmp_path / "m.png"), "label_seg": "untouched"}
    done = LoadMaskd(mask_key="tissue", image_key="view", classes=4)(case)
    assert np.array_equal(done["tissue"].numpy(), 3 * MASK.T[None])
    assert done["label_seg"] == "untouched"


def test_a_case_may_tell_the_class_of_its_lesion_and_a_wrong_one_is_found_by_the_check(tmp_path, mask):
    case = {"image": image(), "label_seg": mask, "class_seg": 2}
    assert np.array_equal(LoadMaskd(classes=3)(case)["label_seg"].numpy(), 2 * MASK.T[None])
    cases = []
    for name, lesion in (("a", 2), ("b", 3), ("c", [1])):
        Image.fromarray(np.random.randint(0, 255, SIZE[::-1], np.uint8)).save(tmp_path / f"{name}.png")
        cases.append({"image": f"{name}.png", "label_seg": "m.png", "class_seg": lesion, "patient_id": name})
    classes = {"seg": ["background", "benign", "malignant"], "cls": ["benign", "malignant"]}
    listed, other = tmp_path / "dataset.json", cases[1] | {"class_seg": 1}
    listed.write_text(json.dumps({"training": [cases[0], cases[2]], "validation": [other]}))
    assert [case["class_seg"] for case in load_datalist(tmp_path, classes)["training"]] == [2, [1]]
    listed.write_text(json.dumps({"training": cases[:1], "validation": cases[1:2]}))
    with pytest.raises(DataError, match="values"):
        load_datalist(tmp_path, classes)


def test_later_transforms_move_and_invert_it_as_they_do_the_image(tmp_path):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    load = LoadImaged("image", reader="monai_mtl.data.MedicalReader", ensure_channel_first=True)
    turn = Rotate90d(["image", "label_seg"], k=1)
    done = Compose([load, LoadMaskd(), turn])({"image": tmp_path / "a.png", "label_seg": str(tmp_path / "a.png")})
    assert torch.equal(done["image"].affine, done["label_seg"].affine)
    assert np.array_equal(done["image"].numpy(), done["label_seg"].numpy())
    back = Invertd("label_seg", turn, orig_keys="label_seg")(done)["label_seg"]
    assert np.array_equal(back.numpy(), MASK.T[None])


def test_every_form_survives_a_datalist(tmp_path):
    Image.fromarray(MASK).save(tmp_path / "a.png")
    outlines = {"polygons": [[[0.5, 0.5], [3.5, 0.5], [3.5, 2.5]]]}
    forms = {"one": "a.png", "two": ["a.png", "a.png"], "none": [], "outlines": outlines, "unseen": None}
    for name in forms:  # a picture of its own, since equal ones of two patients are refused
        Image.fromarray(np.random.randint(0, 255, SIZE[::-1], np.uint8)).save(tmp_path / f"{name}.png")
    cases = [{"image": f"{name}.png", "label_seg": form, "patient_id": name} for name, form in forms.items()]
    (tmp_path / "dataset.json").write_text(json.dumps({"training": cases[:3], "validation": cases[3:]}))
    sections = load_datalist(tmp_path, {"seg": ["background", "mass"], "cls": ["no", "yes"]})
    load = LoadImaged("image", reader="monai_mtl.data.MedicalReader", ensure_channel_first=True)
    done = {c["case_id"]: LoadMaskd()(load(c)).get("label_seg") for part in sections.values() for c in part}
    assert done.pop("unseen") is None
    pixels = {"one": MASK.sum(), "two": MASK.sum(), "none": 0, "outlines": 3}
    assert {name: int(mask.sum()) for name, mask in done.items()} == pixels
