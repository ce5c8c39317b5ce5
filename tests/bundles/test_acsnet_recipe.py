"""What the configs of ACSNet promise: the paper's schedule, learned task weights, an encoder from a file."""

from __future__ import annotations

import json
import math

import pytest
import torch

from monai_mtl.errors import MissingError, own_error
from monai_mtl.networks import ACSNet

from ..conftest import ROOT
from .test_all_bundles import workflow

BUNDLE = ROOT / "bundles" / "acsnet_busi"
NARROW = {"network_def#width": 16}


def test_the_rate_falls_by_half_a_cosine_to_a_tenth():
    parser = workflow(BUNDLE, ["train"], **NARROW).parser
    schedule, optimizer = (parser.get_parsed_content(key) for key in ("lr_scheduler", "optimizer"))
    for epoch in range(91):
        wanted = 1e-4 * (0.9 * (1 + math.cos(math.pi * epoch / 90)) / 2 + 0.1)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([wanted] * 3, rel=1e-9), epoch
        optimizer.step()
        schedule.step()


def test_the_optimiser_moves_the_network_and_the_task_weights_and_both_are_kept():
    parser = workflow(BUNDLE, ["train"], **NARROW).parser
    network, loss, optimizer, handlers = (
        parser.get_parsed_content(key) for key in ("network", "loss", "optimizer", "train#handlers")
    )
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for part in (network, loss) for p in part.parameters())
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-4}
    saver = next(handler for handler in handlers if hasattr(handler, "objects"))
    assert saver.objects["loss"] is loss
    assert len(loss.state_dict()) == 2


@pytest.mark.parametrize("overlay", ["seg_only", "cls_only", "fixed_weights"])
def test_an_ablation_with_fixed_task_weights_learns_none(overlay):
    parser = workflow(BUNDLE, ["train", f"ablations/{overlay}"], **NARROW).parser
    loss, optimizer = (parser.get_parsed_content(key) for key in ("loss", "optimizer"))
    assert loss.weights == json.loads((BUNDLE / f"configs/ablations/{overlay}.json").read_text())["loss_def#weights"]
    assert not list(loss.parameters())
    assert optimizer.param_groups[-1]["params"] == []


def test_the_encoder_starts_from_a_named_file_or_stops(tmp_path):
    other = {name: value + 1 for name, value in ACSNet(width=16).encoder.state_dict().items()}
    torch.save(other, tmp_path / "resnet.pt")
    parser = workflow(BUNDLE, ["train"], encoder_weights=str(tmp_path / "resnet.pt"), **NARROW).parser
    network = parser.get_parsed_content("network")
    assert torch.equal(network.encoder.conv1.weight, other["conv1.weight"])
    random = workflow(BUNDLE, ["train"], **NARROW).parser.get_parsed_content("network")
    assert not torch.equal(random.encoder.conv1.weight, other["conv1.weight"])
    with pytest.raises(RuntimeError, match="encoder_weights") as raised:  # MONAI's, about the error below
        workflow(BUNDLE, ["train"], encoder_weights=str(tmp_path / "absent.pt"), **NARROW)
    assert isinstance(own_error(raised.value), MissingError)
