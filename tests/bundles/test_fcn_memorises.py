"""Eight real mammograms, four with a mass, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.metrics import compute_dice

from ..conftest import ROOT
from .test_hds_memorises import eight_cases

STEPS, SIZE = 100, [256, 128]
"""Full batch, no augmentation, random weights, a narrow ResNet-18 on a fine grid, 20 times our rate; a lesion's pixel
weighs 3, not up to 50, by which the mask grows beyond its border."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    config = ROOT / "bundles" / "fcn_ddsm" / "configs" / "train.json"
    overrides = {
        "image_size": SIZE,
        "max_epochs": 10 * STEPS,
        "learning_rate": 0.02,
        "largest_weight": 3.0,
        "network_def#encoder_depth": 18,
        "network_def#width": 32,
        "network_def#output_stride": 8,
        "network_def#encoder_lr_mult": 1.0,
        "bundle_root": str(config.parents[1]),
    }
    workflow = ConfigWorkflow(config_file=str(config), workflow_type="train", **overrides)
    workflow.initialize()
    parser = workflow.parser
    network, loss, optimizer, schedule, prepare = (
        parser.get_parsed_content(key)
        for key in ("network", "loss", "optimizer", "lr_scheduler", "train#prepare_batch")
    )
    image, target = prepare(eight_cases(parser), torch.device("cpu"))
    network.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(network(image), target).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        out = network.eval()(image)
    with_mass = target["cls"] == 1
    dice = compute_dice(out["seg"].argmax(1, keepdim=True)[with_mass], target["seg"][with_mass])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal((out["cls"][:, 0] > 0).long(), target["cls"])
