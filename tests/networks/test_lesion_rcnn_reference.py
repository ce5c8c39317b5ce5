"""Lesion R-CNN against torchvision's Mask R-CNN with the same weights: maps, proposals, classes, boxes and masks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from monai_mtl.errors import DataError
from monai_mtl.layers import decode_boxes, pyramid_roi_align
from monai_mtl.layers.detector_weights import convert_detector_weights
from monai_mtl.networks import LesionRCNN

from ..conftest import DATA
from .detector_case import BOXES, IMAGE, fixed_weights

KEYS = {name: tuple(s) for name, s in json.loads((DATA / "torchvision_mask_rcnn_keys.json").read_text()).items()}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return {name: fixed_weights(name, shape) for name, shape in KEYS.items()}


def network() -> LesionRCNN:
    return LesionRCNN(encoder_depth=18, half_pixel=False, image_mean=(0.0,) * 3).eval()


def older(name: str) -> str:
    """As files of torchvision up to 0.12 call it, those trained on COCO among them."""
    for new, old in (
        ("rpn.head.conv.0.0.", "rpn.head.conv."),
        *((f"_blocks.{i}.0.", f"_blocks.{i}.") for i in range(4)),
        *((f"roi_heads.mask_head.{i}.0.", f"roi_heads.mask_head.mask_fcn{i + 1}.") for i in range(4)),
    ):
        name = name.replace(new, old)
    return name


@torch.inference_mode()
def test_every_part_gives_torchvisions_numbers(weights, tmp_path):
    expected = np.load(DATA / "torchvision_mask_rcnn.npz")
    net, path = network(), tmp_path / "weights.pth"
    torch.save(weights, path)
    net.load_detector(path)

    def close(found: torch.Tensor, name: str) -> None:
        wanted = torch.from_numpy(expected[name])
        error = (found - wanted).abs().max() / wanted.abs().max()
        assert float(error) < 1e-4, name

    pyramid = net.pyramid(torch.from_numpy(IMAGE))
    close(torch.cat([features[:, ::32, ::2, ::2].flatten() for features in pyramid]), "pyramid")
    logits, deltas, anchors = net.rpn(pyramid)
    close(logits.flatten()[::5], "rpn_logits")
    close(decode_boxes(deltas, anchors, net.rpn.scale).view(-1, 4)[::11], "proposals")
    boxes = torch.from_numpy(BOXES)
    class_logits, codes = net._judge(pyramid, boxes[None])
    close(class_logits[0], "class_logits")
    close(decode_boxes(codes[0], boxes.unsqueeze(1), net.box_scale), "boxes")
    features = pyramid_roi_align(pyramid[:4], boxes, torch.zeros(len(boxes), dtype=torch.int64), 14, 2, False)
    close(net.mask_head(features)[:, :, ::3, ::3], "mask_logits")


def test_older_names_and_other_classes_are_taken_too(weights):
    state = {older(name): value for name, value in weights.items() if "num_batches" not in name}
    assert "roi_heads.mask_head.mask_fcn4.weight" in state
    for name in list(state):
        if "box_predictor" in name or "mask_fcn_logits" in name:
            state[name] = state[name].repeat(7, *[1] * (state[name].ndim - 1))
    with torch.device("meta"):
        own = network().state_dict()
    taken = {name for name, value in convert_detector_weights(state, own, torch.ones(4)).items() if not value.is_meta}
    answers = ("box_head.cls_score", "box_head.bbox_pred", "mask_head.10")
    kept = {name for name in own if name.startswith(answers) or name.endswith("num_batches_tracked")}
    assert taken == set(own) - kept


def test_other_weights_are_refused(weights):
    state = {name: value for name, value in weights.items() if not name.startswith("rpn.head.conv")}
    with torch.device("meta"):
        own = network().state_dict()
    with pytest.raises(DataError, match="not the weights of such a detector") as raised:
        convert_detector_weights(state, own, torch.ones(4))
    lacks = ["rpn.conv.weight: missing, here (256, 256, 3, 3)", "rpn.conv.bias: missing, here (256,)"]
    assert raised.value.where == lacks
