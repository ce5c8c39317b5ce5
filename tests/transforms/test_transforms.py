"""Each transform by its definition, and the way back to the grid of the file."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, list_data_collate
from monai.transforms import Compose, CropForegroundd, Invertd, RandFlipd, Resized, Transposed
from PIL import Image

from monai_mtl.errors import DataError, ImageError
from monai_mtl.transforms import (
    BreastForeground,
    ClassFromMaskd,
    ClassFromProbabilityd,
    ClassProbabilitiesd,
    EnsureTaskLabelsd,
    ForegroundProbabilityd,
    ImageResultd,
    LesionClassesd,
    MaskFromProbabilityd,
    NormalizeForegroundd,
    RandBalancedCropd,
    ScaleTo8Bitd,
    SeparableResized,
    UnpackTasksd,
)

from ..conftest import ROOT
from ..every_bundle import BUNDLES
from ..factories import breast


def breast_in_noise(left: int = 7, right: int = 13, label_square: bool = True) -> np.ndarray:
    """A breast with a blank border on either side and a bright label in the left one."""
    image, _ = breast(96, 80)
    image = np.pad(image, ((0, 0), (left, right)))
    if label_square:
        image[2:6, 1:4] = 250
    return image[None].astype(np.float32)


@pytest.mark.parametrize("threshold", ["otsu", 0])
def test_breast_columns_are_found_and_a_label_beside_the_breast_is_not(threshold):
    selected = BreastForeground(threshold)(torch.from_numpy(breast_in_noise()))
    columns = np.flatnonzero(selected[0, 0].numpy())
    covered = np.flatnonzero(breast(96, 80)[0].any(axis=0))
    assert columns[0] == 7
    assert columns[-1] == 7 + covered[-1]
    assert bool(selected[:, :, columns].all())
    tight = BreastForeground(threshold, whole_columns=False)(torch.from_numpy(breast_in_noise()))
    assert not bool(tight[0, 0].any())


def test_an_image_without_a_breast_is_refused():
    with pytest.raises(DataError, match=r"^a\.png is blank"):
        BreastForeground()(MetaTensor(torch.zeros(1, 8, 8), meta={"filename_or_obj": "folder/a.png"}))
    with pytest.raises(DataError, match="no pixel above 300"):
        BreastForeground(300)(torch.arange(64.0).reshape(1, 8, 8))
    with pytest.raises(ValueError, match="threshold must be"):
        BreastForeground("li")
    with pytest.raises(ValueError, match="otsu_fraction must be"):
        BreastForeground(otsu_fraction=0)


@pytest.mark.realdata
def test_the_crop_of_the_bundle_keeps_every_annotated_pixel_of_real_mammograms():
    config = ROOT / "bundles" / "hds_inbreast" / "configs" / "inference.json"
    transforms = json.loads(config.read_text())["preprocessing"]["transforms"]
    crop = next(t["select_fn"] for t in transforms if t["_target_"] == "CropForegroundd")
    select = BreastForeground(**{key: value for key, value in crop.items() if key != "_target_"})
    source = Path(os.environ["MONAI_MTL_DATA"]) / "cdd_cesm_mammo"
    rows = [r for r in csv.DictReader((source / "labels.csv").open()) if r["modality"] == "DM"]
    assert len(rows) > 200
    for row in rows:
        image, mask = (np.asarray(Image.open(source / row[key]).convert("L"), np.float32) for key in ("image", "mask"))
        columns = np.flatnonzero(select(torch.from_numpy(image[None]))[0, 0].numpy())
        assert not mask[:, : max(0, columns[0] - 8)].any(), row["image"]
        assert not mask[:, columns[-1] + 9 :].any(), row["image"]
        assert len(columns) < 500, row["image"]


def preprocessing(size: tuple[int, int]) -> Compose:
    return Compose(
        [
            Transposed("image", (0, 2, 1)),
            CropForegroundd(
                "image", "image", select_fn=BreastForeground(), margin=[0, 2], allow_smaller=True,
                start_coord_key="crop_start", end_coord_key="crop_end",
            ),
            ScaleTo8Bitd("image"),
            Resized("image", size, mode="bilinear"),
        ]
    )  # fmt: skip


def test_a_mask_comes_back_on_the_pixels_of_the_file():
    array = breast_in_noise(label_square=False)
    pre = preprocessing((192, 3 * 56))
    case = pre({"image": MetaTensor(array.transpose(0, 2, 1))})
    assert case["crop_start"].tolist() == [0, 5]
    logits = torch.stack([torch.zeros(192, 168), 10 * (case["image"][0].as_tensor() > 60) - 5.0])
    case = ForegroundProbabilityd()({**case, "seg": logits})
    back = Invertd("probability", pre, "image", nearest_interp=False)(case)
    mask = MaskFromProbabilityd()(back)["pred"]
    assert mask.dtype == torch.uint8
    assert mask.shape == (100, 96)  # x first, the size of the file
    truth = array[0].T > 60
    assert (mask.numpy().astype(bool) == truth).mean() > 0.99
    assert not mask[:5].any()


def test_one_logit_is_a_sigmoid():
    logit = torch.tensor([[[-2.0, 0.0, 3.0]]])
    one, two = (ForegroundProbabilityd()({"seg": seg}) for seg in (logit, torch.cat([torch.zeros_like(logit), logit])))
    assert set(one) == {"probability"}
    torch.testing.assert_close(one["probability"], two["probability"])  # a softmax over 0 and the logit
    torch.testing.assert_close(one["probability"].as_tensor(), 1 / (1 + torch.exp(-logit)))


def test_one_logit_of_the_image_is_two_classes():
    one, two = (ClassProbabilitiesd()({"cls": logits})["cls"] for logits in (torch.tensor([-1.5]), torch.zeros(2)))
    torch.testing.assert_close(one[1], torch.sigmoid(torch.tensor(-1.5)))
    assert float(one.sum()) == pytest.approx(1)
    assert two.tolist() == [0.5, 0.5]
    several = ClassProbabilitiesd("cls_birads")({"cls_birads": torch.tensor([0.0, 1.0, 2.0])})["cls_birads"]
    torch.testing.assert_close(several, torch.tensor([0.0, 1.0, 2.0]).softmax(0))
    whole = ImageResultd(["benign", "malignant"], map_key=None, start_key=None, end_key=None)
    told = whole({"cls": torch.tensor([-1.5])})["result"]["classification"]
    assert told == {"label": "benign", "probabilities": {"benign": 0.817574, "malignant": 0.182426}}


def test_the_threshold_is_strict():
    classes = ClassFromProbabilityd()({"probability": torch.tensor([[[0.25, 0.75], [0.5, 0.0]]])})["cls"]
    assert classes.tolist() == [0.25, 0.75]
    mask = MaskFromProbabilityd()({"probability": torch.tensor([[[0.5, 0.5001]]])})["pred"]
    assert mask.tolist() == [[0, 1]]


def test_eight_bits_stay_and_more_are_scaled():
    values = torch.tensor([[[100.0, 1100.0, 4100.0]]])
    eight = ScaleTo8Bitd("image")({"image": MetaTensor(values, meta={"bits": 8})})["image"]
    deep = ScaleTo8Bitd("image")({"image": MetaTensor(values, meta={"bits": 16})})["image"]
    assert torch.equal(eight.as_tensor(), values)
    torch.testing.assert_close(deep.as_tensor(), torch.tensor([[[0.0, 63.75, 255.0]]]))
    with pytest.raises(ImageError, match="non-finite values in c1"):
        ScaleTo8Bitd("image")({"image": torch.tensor([[[torch.nan]]]), "case_id": "c1"})


def case_with_lesion(lesion: bool = True) -> dict:
    image, mask = breast(96, 80, lesion)
    return {
        "image": MetaTensor(image[None].astype(np.float32)),
        "label_seg": MetaTensor((mask[None] > 0).astype(np.uint8)),
        "label_cls": int(lesion),
        "has_seg": True,
        "has_cls": True,
    }


def test_balanced_crop_takes_what_it_says():
    crop = RandBalancedCropd(["image", "label_seg"], size=(16, 12)).set_random_state(0)
    case = case_with_lesion()
    centres, labels = [], []
    for _ in range(400):
        out = crop(case)
        assert out["image"].shape == out["label_seg"].shape == (1, 16, 12)
        assert out["label_cls"] == int(out["label_seg"].any())
        centres.append(bool(case["label_seg"][0, crop._centre[0], crop._centre[1]]))
        labels.append(out["label_cls"])
    assert np.mean(centres) == pytest.approx(0.5, abs=0.07)  # 2.8 standard deviations
    assert 0 < np.mean(labels) < 1


def test_balanced_crop_shifts_a_window_back_inside():
    crop = RandBalancedCropd(["image"], size=(90, 70)).set_random_state(0)
    pixels = MetaTensor(torch.arange(96.0 * 80).reshape(1, 96, 80))
    for _ in range(20):
        window = crop({**case_with_lesion(), "image": pixels})["image"][0]
        row, column = divmod(int(window[0, 0]), 80)
        assert torch.equal(window, pixels[0, row : row + 90, column : column + 70])
        assert row == min(max(crop._centre[0] - 45, 0), 6)
        assert column == min(max(crop._centre[1] - 35, 0), 10)


def resizes() -> list:
    """How bundles resize images with their masks."""
    found = []
    for bundle in BUNDLES:
        config = json.loads((bundle.folder / "configs" / "train.json").read_text())
        steps = [t for t in config["train"]["deterministic_transforms"] if t["_target_"].endswith("Resized")]
        options = ({key: step[key] for key in ("mode", "anti_aliasing")} for step in steps)
        found += [pytest.param(one, id=bundle.name) for one in options]
    return found


@pytest.mark.parametrize("options", resizes())
@pytest.mark.parametrize("shape", [(4084, 2000), (300, 210)])
def test_mask_and_image_stay_on_each_other_when_resized(shape, options):
    y, x = torch.meshgrid(*(torch.arange(n) / n for n in shape), indexing="ij")
    disc = (((y - 0.4) ** 2 + (x - 0.6) ** 2) < 0.04)[None]
    case = {"image": disc.float(), "label_seg": disc.byte()}
    out = SeparableResized(["image", "label_seg"], (1024, 512), **options)(case)
    centres = [
        (out[key][0].nonzero() * out[key][0][out[key][0] > 0][:, None]).double().sum(0) / out[key].sum() for key in out
    ]
    torch.testing.assert_close(centres[0], centres[1], rtol=0, atol=0.06)


def test_balanced_crop_of_an_image_without_lesion_is_uniform_and_negative():
    crop = RandBalancedCropd(["image", "label_seg"], size=(2, 2)).set_random_state(0)
    case = case_with_lesion(lesion=False)
    rows = [crop(case) and crop._centre[0] for _ in range(500)]
    assert np.mean(rows) == pytest.approx(47.5, abs=5)
    assert crop(case)["label_cls"] == 0


def test_slivers_can_be_left_out():
    case = case_with_lesion()
    whole = RandBalancedCropd(["image", "label_seg"], size=(96, 80), min_lesion_pixels=10_000)(case)
    assert whole["label_cls"] == 0


@pytest.mark.parametrize(("trust", "label", "has"), [(True, 1, True), (False, 1, False), (False, 0, True)])
def test_balanced_crop_without_a_mask(trust, label, has):
    case = {**case_with_lesion(lesion=False), "label_cls": label, "has_seg": False}
    out = RandBalancedCropd(["image", "label_seg"], size=(8, 8), trust_unmasked=trust)(case)
    assert (out["label_cls"], out["has_cls"]) == (label, has)


def test_balanced_crop_and_flips_can_be_undone():
    chain = Compose(
        [
            RandFlipd(["image", "label_seg"], prob=1.0, spatial_axis=1),
            RandBalancedCropd(["image", "label_seg"], size=(40, 30)),
        ]
    )
    chain.set_random_state(3)
    case = case_with_lesion()
    case["image"] += 1
    back = chain.inverse(chain(case))
    assert back["image"].shape == case["image"].shape
    kept = back["image"] != 0
    assert torch.equal(back["image"][kept], case["image"][kept])
    assert int(kept.sum()) == 40 * 30


def test_balanced_crop_refuses_what_cannot_be():
    with pytest.raises(DataError, match="does not fit"):
        RandBalancedCropd(["image"], size=(100, 10))(case_with_lesion())
    with pytest.raises(ValueError, match="lesion_fraction"):
        RandBalancedCropd(["image"], lesion_fraction=2)


def test_the_class_follows_from_the_mask_only_where_it_is_missing():
    fill = ClassFromMaskd()
    assert fill({"label_seg": torch.tensor([[[0, 1]]])})["label_cls"] == 1
    assert fill({"label_seg": torch.tensor([[[0, 0]]])})["label_cls"] == 0
    assert fill({"label_seg": torch.tensor([[[0, 1]]]), "label_cls": 0})["label_cls"] == 0
    assert "label_cls" not in fill({"image": 1})


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_cases_with_different_labels_make_one_batch_in_any_order(order):
    image = MetaTensor(torch.rand(1, 4, 4))
    cases = [
        {"image": image, "label_seg": MetaTensor(torch.ones(1, 4, 4)), "label_cls": 1},
        {"image": image, "label_cls": 1},
        {"image": image},
    ]
    ensure = EnsureTaskLabelsd({"seg": "mask", "cls": "class"})
    batch = list_data_collate([ensure(cases[i]) for i in order])
    assert batch["has_seg"].tolist() == [i == 0 for i in order]
    assert batch["has_cls"].tolist() == [i < 2 for i in order]
    assert batch["label_seg"].shape == (3, 1, 4, 4)
    assert batch["label_seg"].flatten(1).sum(1).tolist() == [16 * (i == 0) for i in order]


def test_a_mask_of_another_size_is_refused_with_its_name():
    ensure = EnsureTaskLabelsd({"seg": "mask"})
    case = {"image": torch.zeros(1, 4, 4), "label_seg": torch.zeros(1, 4, 5), "case_id": "c7"}
    with pytest.raises(DataError, match="the mask of c7 has another size"):
        ensure(case)
    with pytest.raises(ValueError, match="kinds must be"):
        EnsureTaskLabelsd({"seg": "box"})


def test_outputs_and_labels_get_flat_names():
    case = {
        "pred": {"seg": torch.rand(2, 4, 4), "cls": torch.rand(2)},
        "label": {"seg": torch.zeros(1, 4, 4), "has_seg": True, "cls": 1},
    }
    assert set(UnpackTasksd()(case)) == {"seg", "cls", "seg_target", "seg_annotated", "cls_target"}
    assert set(UnpackTasksd("pred")(case)) == {"label", "seg", "cls"}


def test_the_result_names_the_class_and_the_place_on_the_file():
    cls_map = torch.zeros(2, 8, 4)
    cls_map[1, 2, 3] = 4.0
    case = {
        "cls": cls_map[:, 2, 3], "cls_map": cls_map, "image": torch.zeros(1, 1024, 512),
        "crop_start": np.array([0, 100]), "crop_end": np.array([800, 500]),
    }  # fmt: skip
    result = ImageResultd(["no mass", "mass"])(case)["result"]
    assert result["classification"]["label"] == "mass"
    assert result["classification"]["probabilities"]["mass"] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert result["location"] == {"xy": [450.0, 250.0], "box_xyxy": [400.0, 200.0, 500.0, 300.0]}
    windowed = ImageResultd(["no mass", "mass"])({**case, "window": torch.tensor([512, 0, 1024, 512])})["result"]
    assert windowed["location"]["xy"] == [450.0, 525.0]
    beyond = ImageResultd(["no mass", "mass"])({**case, "window": torch.tensor([-64, -64, 576, 576])})["result"]
    assert beyond["location"]["box_xyxy"] == [425.0, 75.0, 500.0, 137.5]
    assert result["crop"]["box_xyxy"] == [100, 0, 500, 800]
    assert result["crop"]["scale_xy"] == pytest.approx([400 / 512, 800 / 1024], abs=1e-6)
    placeless = ImageResultd(["no mass", "mass"], map_key=None)(case)["result"]
    assert placeless == {key: result[key] for key in ("classification", "crop")}
    whole = ImageResultd(["no mass", "mass"], map_key=None, start_key=None, end_key=None)
    assert whole({"cls": case["cls"]})["result"] == {"classification": result["classification"]}
    for wrong in ({"start_key": None}, {"start_key": None, "end_key": None}, {"map_key": None, "end_key": None}):
        with pytest.raises(ValueError, match="both ends of the crop"):
            ImageResultd(["no mass", "mass"], **wrong)


def test_the_class_of_a_pixel_is_the_most_probable_and_nothing_outside_a_crop_is_a_lesion():
    probabilities = torch.tensor([[0.5, 0.4, 0.2, 0.0], [0.3, 0.25, 0.1, 0.0], [0.2, 0.35, 0.7, 0.0]])[:, None]
    found = LesionClassesd()({"seg": probabilities})
    assert found["pred"].tolist() == [[0, 0, 2, 0]]
    assert found["pred"].dtype == torch.uint8
    torch.testing.assert_close(found["probability"], torch.tensor([[[0.5, 0.6, 0.8, 0.0]]]))
    assert "seg" not in found


def test_an_image_is_normalised_by_its_foreground_whatever_its_offset_and_gain():
    image = torch.rand(1, 8, 9, generator=torch.Generator().manual_seed(0))
    image[:, :, 5:] = 0
    normalise = NormalizeForegroundd("image", select_fn=lambda grey: grey > grey.min())
    found = normalise({"image": image})["image"]
    inside = found[image > 0]
    assert float(inside.mean()) == pytest.approx(0, abs=1e-6)
    assert float(inside.std(correction=0)) == pytest.approx(1, rel=1e-5)
    assert (found[image == 0] < inside.min()).all()  # air stays darker than any tissue
    torch.testing.assert_close(normalise({"image": 300 * image + 70})["image"], found, rtol=1e-4, atol=1e-5)
    assert torch.isfinite(normalise({"image": torch.tensor([[[0.0, 1.0]]])})["image"]).all()
