"""Eight real mammograms, four with a mass, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.data import Dataset, list_data_collate
from monai.metrics import compute_dice

from ..conftest import ROOT

STEPS, SIZE = 80, [256, 128]
"""About what the authors' code needs at this size, full batch, without dropout."""


def eight_cases(parser: ConfigParser) -> dict:
    cases = parser.get_parsed_content("datalist")["training"]
    chosen = [c for c in cases if c["label_cls"] == 1][:4] + [c for c in cases if c["label_cls"] == 0][:4]
    transform = parser.get_parsed_content("validate#preprocessing")
    return list_data_collate(list(Dataset(chosen, transform)))


@pytest.mark.slow
def test_eight_images_are_memorised():
    config = ROOT / "bundles" / "hds_inbreast" / "configs" / "train.json"
    # The first tenth of the paper's schedule, at twice its rate: no decay yet, neither of rate nor of levels.
    overrides = {"image_size": SIZE, "max_epochs": 10 * STEPS, "network_def#dropout": 0.0, "learning_rate": 0.02}
    overrides["bundle_root"] = str(config.parents[1])
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
    for step in range(STEPS):
        loss.epoch = step + 1
        optimizer.zero_grad()
        loss(network(image), target).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        out = network.eval()(image)
    with_mass = target["cls"] == 1
    dice = compute_dice(out["seg"].argmax(1, keepdim=True)[with_mass], target["seg"][with_mass])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal(out["cls"].argmax(1), target["cls"])
