"""Targets by task name, and no way through for a pixel that is not finite."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from monai_mtl.engines import PrepareMultiTaskBatch, PrepareTargetsBatch
from monai_mtl.errors import RunError


def batch() -> dict:
    return {
        "image": torch.rand(2, 1, 4, 4), "label_seg": torch.zeros(2, 1, 4, 4), "has_seg": torch.tensor([True, False]),
        "label_cls": torch.tensor([1, 0]), "has_cls": torch.tensor([True, True]), "case_id": ["a", "b"],
    }  # fmt: skip


def test_image_and_targets_by_name():
    image, targets = PrepareMultiTaskBatch(["seg", "cls"])(batch(), "cpu")
    assert image.shape == (2, 1, 4, 4)
    assert set(targets) == {"seg", "has_seg", "cls", "has_cls"}
    told = batch()
    told["image"] = MetaTensor(told["image"])  # whose slices of a batch may fail inside a network
    assert type(PrepareMultiTaskBatch(["seg", "cls"])(told)[0]) is torch.Tensor


def test_only_what_a_network_or_a_loss_computes_with_goes_to_the_device():
    image, targets = PrepareMultiTaskBatch(["seg", "cls"])(batch(), "meta")
    devices = {name: value.device.type for name, value in targets.items()}
    assert devices == {"seg": "meta", "cls": "meta", "has_seg": "cpu", "has_cls": "cpu"}
    assert image.device.type == "meta"


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_pixel_that_is_not_finite_stops_with_the_name_of_the_case(value):
    spoilt = batch()
    spoilt["image"][1, 0, 2, 3] = value
    with pytest.raises(RunError, match="non-finite") as raised:
        PrepareMultiTaskBatch(["seg", "cls"])(spoilt, "cpu")
    assert raised.value.where == ["b"]


def test_a_network_that_asks_for_targets_gets_them_by_name():
    image, targets, others, named = PrepareTargetsBatch(["seg", "cls"])(batch(), "cpu")
    assert image.shape == (2, 1, 4, 4)
    assert others == ()
    assert set(named) == {"target"}
    assert named["target"] is targets
    assert set(targets) == {"seg", "has_seg", "cls", "has_cls"}


def test_a_hidden_task_has_no_labels():
    _, plain = PrepareMultiTaskBatch(["seg", "cls"])(batch(), "cpu")
    _, targets = PrepareMultiTaskBatch(["seg", "cls"], hidden=["cls"])(batch(), "cpu")
    assert not targets["has_cls"].any()
    assert not targets["cls"].any()
    assert torch.equal(targets["seg"], plain["seg"])
    assert torch.equal(targets["has_seg"], plain["has_seg"])
    with pytest.raises(ValueError, match="hidden tasks"):
        PrepareMultiTaskBatch(["seg"], hidden=["cls"])
