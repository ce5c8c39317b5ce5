"""Eight real mammograms, four with a mass, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.metrics import compute_dice

from .memorising import eight_cases, learn, training_of

STEPS, SIZE = 80, [256, 128]
"""About what the authors' code needs at this size, full batch, without dropout."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    # The first tenth of the paper's schedule, at twice its rate: no decay yet, neither of rate nor of levels.
    overrides = {"image_size": SIZE, "max_epochs": 10 * STEPS, "network_def#dropout": 0.0, "learning_rate": 0.02}
    parser = training_of("hds_inbreast", **overrides)
    image, target = parser.get_parsed_content("train#prepare_batch")(eight_cases(parser), torch.device("cpu"))
    network = parser.get_parsed_content("network")
    network.image_mean.fill_(image.mean())
    network.image_std.fill_(image.std())
    out = learn(parser, image, target, STEPS)
    with_mass = target["cls"] == 1
    dice = compute_dice(out["seg"].argmax(1, keepdim=True)[with_mass], target["seg"][with_mass])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal(out["cls"].argmax(1), target["cls"])
