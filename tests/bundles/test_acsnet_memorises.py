"""Eight real ultrasound images, four malignant, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.metrics import compute_dice

from ..conftest import ROOT
from .test_hds_memorises import eight_cases

STEPS, SIZE, WIDTH = 50, [128, 128], 32
"""Full batch, no augmentation, random weights, half the paper's width and ten times its rate: two minutes on a core."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    config = ROOT / "bundles" / "acsnet_busi" / "configs" / "train.json"
    overrides = {
        "image_size": SIZE,
        "max_epochs": STEPS,
        "learning_rate": 0.001,
        "network_def#width": WIDTH,
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
    network.image_mean.fill_(image.mean())
    network.image_std.fill_(image.std())
    network.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(network(image), target).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        out = network.eval()(image)
    dice = compute_dice((out["seg"] > 0).long(), target["seg"])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal(out["cls"].argmax(1), target["cls"])
    # The task weights were learned too, and stay positive.
    assert all(0 < weight != 0.5 for weight in loss.weights.values())
