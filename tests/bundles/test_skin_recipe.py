"""The recipe of skin_lesion_isic2017: what a photo becomes, with and without augmentation, and its phases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.utils import set_determinism
from PIL import Image

from monai_mtl.layers import mask_boxes
from monai_mtl.transforms import BoxResultd

from ..conftest import ROOT
from ..small_runs import on_sample_data

BUNDLE = ROOT / "bundles" / "skin_lesion_isic2017"


@pytest.fixture(scope="module")
def parser():
    config = str(BUNDLE / "configs" / "train.json")
    settings = {**on_sample_data(BUNDLE), "bundle_root": str(BUNDLE)}
    settings.pop("phases")
    workflow = ConfigWorkflow(config_file=config, workflow_type="train", **settings)
    workflow.initialize()
    return workflow.parser


def test_a_photo_keeps_its_shape_between_zeros_and_its_mask_follows(parser):
    case = next(case for case in parser.get_parsed_content("datalist")["training"])
    plain = parser.get_parsed_content("validate#preprocessing")(case)
    image, mask = plain["image"], plain["label_seg"]
    assert image.shape == (3, 128, 128)
    assert mask.shape == (1, 128, 128)
    assert set(torch.unique(mask).tolist()) == {0, 1}
    height, width = np.array(image.meta["spatial_shape"])[::-1]
    rows, columns = (128 * side / max(height, width) for side in (height, width))
    shown = (image > 0).any(dim=0)
    assert abs(int(shown.any(dim=1).sum()) - rows) <= 1
    assert abs(int(shown.any(dim=0).sum()) - columns) <= 1
    top = int(shown.any(dim=1).int().argmax())
    assert abs(top - (128 - rows) / 2) <= 1  # as much above as below
    assert image.max() > 100
    assert not image[:, :top].any()


def photo(folder, width, height):
    """A lesion on skin, upright and turned but with the EXIF that turns it back; its mask and its box."""
    box = (width // 8, height // 3, width // 2, height - height // 6)
    upright, mask, exif = (
        Image.new("RGB", (width, height), (224, 172, 150)),
        Image.new("L", (width, height)),
        Image.Exif(),
    )
    upright.paste((90, 50, 40), box)
    mask.paste(255, box)
    mask.save(folder / "mask.png")
    upright.save(folder / "upright.jpg", quality=95)
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", quality=95, exif=exif)
    return box


def test_a_turned_photo_is_seen_upright_under_its_mask(parser, tmp_path):
    photo(tmp_path, 400, 300)
    preprocess = parser.get_parsed_content("validate#preprocessing")
    upright, turned = (
        preprocess({"image": str(tmp_path / f"{name}.jpg"), "label_seg": str(tmp_path / "mask.png"), "case_id": name})
        for name in ("upright", "turned")
    )
    assert torch.abs(upright["image"] - turned["image"]).max() < 8  # two JPEGs
    assert turned["image"][0][turned["label_seg"][0] > 0].mean() < 100


def test_the_box_of_a_turned_photo_of_twelve_megapixels_is_on_its_upright_pixels(tmp_path):
    lesion = photo(tmp_path, 4000, 3000)
    recipe = ConfigParser()
    recipe.read_config(str(BUNDLE / "configs" / "inference.json"))
    image = recipe.get_parsed_content("preprocessing")({"image": str(tmp_path / "turned.jpg")})["image"]
    assert image.shape == (3, 1024, 1024)
    dark = (image[:1] > 1) & (image[:1] < 150)
    box = mask_boxes(dark[None])[0][0]
    found = BoxResultd()({"image": image, "det": torch.cat([box, torch.tensor([0.9])])})["result"]
    np.testing.assert_allclose(found["detection"]["box_xyxy"], lesion, atol=2 * 4000 / 1024)


def test_augmentation_moves_image_and_mask_alike_and_stays_in_range(parser):
    set_determinism(0)
    case = parser.get_parsed_content("datalist")["training"][0]
    transform, plain = (parser.get_parsed_content(f"{part}#preprocessing") for part in ("train", "validate"))
    whole = plain(case)
    inside = float(whole["image"][:, whole["label_seg"][0] > 0].mean())
    outside = float(whole["image"][:, (whole["label_seg"][0] == 0) & (whole["image"] > 0).all(dim=0)].mean())
    drawn, apart = [], 0
    for _ in range(40):
        one = transform(case)
        image, mask = torch.as_tensor(one["image"]), torch.as_tensor(one["label_seg"])[0]
        assert image.shape == (3, 128, 128)
        assert float(image.min()) >= 0
        assert float(image.max()) <= 255
        assert set(torch.unique(mask).tolist()) == {0, 1}
        drawn.append(image)
        around = (mask == 0) & (image > 5).all(dim=0)
        apart += (image[:, mask > 0].mean() < image[:, around].mean()) == (inside < outside)
    assert apart == 40  # the lesion stays under its mask
    same = sum(torch.allclose(image, torch.as_tensor(whole["image"]), atol=1e-3) for image in drawn)
    assert 2 <= same <= 25  # none of the five, or flips that did not happen, in a third or so
    assert len({image.sum().item() for image in drawn}) > 15


def test_the_phases_free_the_encoder_from_its_end(parser):
    network = parser.get_parsed_content("network_def")
    phases = parser.get_parsed_content("phases")
    names = [name for name, _ in network.named_parameters()]
    free = [{n for n in names if not n.startswith(tuple(phase.get("frozen", ["no name"])))} for phase in phases]
    assert sum(phase["epochs"] for phase in phases) == parser.get_parsed_content("max_epochs")
    assert {name.split(".")[0] for name in free[0]} == {"fpn", "rpn", "box_head", "mask_head"}
    encoder = {".".join(n.split(".")[:2]) for n in free[1] - free[0]}
    assert encoder == {"encoder.layer3", "encoder.layer4"}
    assert free[2] == set(names)
    assert phases[2]["lr_factor"] == 0.1


def test_the_mask_alone_is_learnt_without_a_look_at_the_class():
    files = [str(BUNDLE / "configs" / name) for name in ("train.json", "ablations/seg_only.json")]
    settings = {**on_sample_data(BUNDLE), "bundle_root": str(BUNDLE)}
    flow = ConfigWorkflow(config_file=files, workflow_type="train", **settings)
    flow.initialize()
    network, loss, prepare, loader = (
        flow.parser.get_parsed_content(key) for key in ("network", "loss", "train#prepare_batch", "train#dataloader")
    )
    batch, losses = next(iter(loader)), []
    for label in (0, 1):
        batch["label_cls"] = torch.full_like(batch["label_cls"], label)
        image, target, _, asks = prepare(batch, torch.device("cpu"))
        torch.manual_seed(0)
        losses.append(loss(network(image, **asks), target).item())
        assert not target["has_cls"].any()
        assert target["has_seg"].all()
    assert losses[0] == losses[1] > 0
