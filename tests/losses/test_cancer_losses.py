"""Losses of S-Net and C-Net: closed forms, special cases, refusals."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss

from monai_mtl.losses import BinaryCrossEntropyLoss, InverseFrequencyCrossEntropy


def test_pixels_of_an_image_are_weighted_and_images_averaged():
    logits, target = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    loss = InverseFrequencyCrossEntropy([90, 9, 1])
    assert loss.class_weights == (1.0, 10.0, 50.0)
    weight = torch.tensor(loss.class_weights)
    each = [F.cross_entropy(logits[i : i + 1], target[i : i + 1], weight=weight) for i in range(2)]
    torch.testing.assert_close(loss(logits, target), (each[0] + each[1]) / 2)


def test_it_follows_its_formula():
    # Two pixels that say nothing (ln 3 each), one sure and wrong: (ln 3 + 10 * ln 3 + 50 * x) / 61.
    logits = torch.zeros(1, 3, 1, 3)
    logits[0, :, 0, 2] = torch.tensor([100.0, 0.0, 0.0])
    loss = InverseFrequencyCrossEntropy([90, 9, 1])(logits, torch.tensor([[[0, 1, 2]]]))
    assert float(loss) == pytest.approx((11 * math.log(3) + 50 * 100) / 61)


@pytest.mark.parametrize(
    "loss", [InverseFrequencyCrossEntropy([2, 2, 2]), InverseFrequencyCrossEntropy([9, 1, 0], 1.0)]
)
def test_equal_frequencies_or_a_largest_weight_of_one_are_plain_cross_entropy(loss):
    logits, target = torch.randn(3, 3, 4, 5), torch.randint(3, (3, 4, 5))
    torch.testing.assert_close(loss(logits, target), F.cross_entropy(logits, target))


def test_weights_stay_between_one_and_the_largest():
    assert InverseFrequencyCrossEntropy([0.2, 0.8, 0.0], 20).class_weights == (1.0, 1.0, 20.0)
    assert InverseFrequencyCrossEntropy([0.0, 1.0]).class_weights == (1.0, 1.0)


def test_one_logit_is_the_cross_entropy_of_two():
    logit, target = 3 * torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    found = BinaryCrossEntropyLoss()(logit, target)
    torch.testing.assert_close(found, F.cross_entropy(torch.cat([torch.zeros(6, 1), logit], dim=1), target))
    assert float(found) == pytest.approx(log_loss(target, torch.sigmoid(logit[:, 0]).double().numpy()), rel=1e-5)


def test_a_sure_logit_costs_its_size_and_nothing_overflows():
    for value, label, cost in ((1e4, 0, 1e4), (1e4, 1, 0.0), (-1e4, 1, 1e4), (0.0, 1, math.log(2))):
        loss = BinaryCrossEntropyLoss()(torch.tensor([[value]]), torch.tensor([label]))
        assert float(loss) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([0, 0],), "not all 0"), (([1, -1],), "not all 0"), (([1, 1], 0.5), "largest must be >= 1")],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        InverseFrequencyCrossEntropy(*arguments)


def test_several_logits_are_refused():
    with pytest.raises(ValueError, match=r"one logit an image is expected, got \(2, 2\)"):
        BinaryCrossEntropyLoss()(torch.zeros(2, 2), torch.zeros(2))
