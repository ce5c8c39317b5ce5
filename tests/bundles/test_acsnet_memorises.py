"""Eight real ultrasound images, four malignant, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.metrics import compute_dice

from .memorising import eight_cases, learn, training_of

STEPS, SIZE, WIDTH = 50, [128, 128], 32
"""Full batch, no augmentation, random weights, half the paper's width and ten times its rate: two minutes on a core."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    overrides = {
        "image_size": SIZE,
        "max_epochs": STEPS,
        "learning_rate": 0.001,
        "network_def#width": WIDTH,
    }
    parser = training_of("acsnet_busi", **overrides)
    image, target = parser.get_parsed_content("train#prepare_batch")(eight_cases(parser), torch.device("cpu"))
    network = parser.get_parsed_content("network")
    network.image_mean.fill_(image.mean())
    network.image_std.fill_(image.std())
    out = learn(parser, image, target, STEPS)
    dice = compute_dice((out["seg"] > 0).long(), target["seg"])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal(out["cls"].argmax(1), target["cls"])
    # The task weights were learned too, and stay positive.
    assert all(0 < weight != 0.5 for weight in parser.get_parsed_content("loss").weights.values())
