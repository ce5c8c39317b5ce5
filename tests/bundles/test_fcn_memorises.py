"""Eight real mammograms, four with a mass, can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.metrics import compute_dice

from .memorising import eight_cases, learn, training_of

STEPS, SIZE = 100, [256, 128]
"""Full batch, no augmentation, random weights, a narrow ResNet-18 on a fine grid, 20 times our rate; a lesion's pixel
weighs 3, not up to 50, by which the mask grows beyond its border."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    overrides = {
        "image_size": SIZE,
        "max_epochs": 10 * STEPS,
        "learning_rate": 0.02,
        "largest_weight": 3.0,
        "network_def#encoder_depth": 18,
        "network_def#width": 32,
        "network_def#output_stride": 8,
        "network_def#encoder_lr_mult": 1.0,
    }
    parser = training_of("fcn_ddsm", **overrides)
    image, target = parser.get_parsed_content("train#prepare_batch")(eight_cases(parser), torch.device("cpu"))
    out = learn(parser, image, target, STEPS)
    with_mass = target["cls"] == 1
    dice = compute_dice(out["seg"].argmax(1, keepdim=True)[with_mass], target["seg"][with_mass])
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal((out["cls"][:, 0] > 0).long(), target["cls"])
