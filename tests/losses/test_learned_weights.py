"""Dice and learned task weights: values by hand, special cases, partly labelled batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import nn

from monai_mtl.losses import LearnedWeightsLoss, MultiTaskLoss, SoftDiceLoss
from monai_mtl.networks import ACSNet


def random_batch(batch: int = 4) -> tuple[dict, dict]:
    prediction = {"seg": torch.randn(batch, 1, 16, 8).requires_grad_(), "cls": torch.randn(batch, 2).requires_grad_()}
    return prediction, {"seg": torch.randint(2, (batch, 1, 16, 8)), "cls": torch.randint(2, (batch,))}


def make_loss() -> LearnedWeightsLoss:
    return LearnedWeightsLoss({"seg": SoftDiceLoss(), "cls": nn.CrossEntropyLoss()})


@pytest.mark.parametrize("legacy", [False, True])
def test_dice_by_hand(legacy):
    logits, target = torch.randn(3, 1, 5, 4), torch.randint(2, (3, 5, 4))
    p, g, s = 1 / (1 + np.exp(-logits[:, 0].double().numpy())), target.numpy(), 0.01
    scores = []
    for a, b in zip(p, g, strict=True):
        above = 2 * ((a * b).sum() + s) if legacy else 2 * (a * b).sum() + s
        scores.append(above / (a.sum() + b.sum() + s))
    loss = SoftDiceLoss(smooth=s, legacy_smooth=legacy)(logits, target)
    assert float(loss) == pytest.approx(1 - np.mean(scores), rel=1e-5)
    oracle = DiceLoss(sigmoid=True, smooth_nr=2 * s if legacy else s, smooth_dr=s)
    torch.testing.assert_close(loss, oracle(logits, target[:, None]))


def test_dice_of_several_classes_leaves_the_background_out():
    logits, target = torch.randn(3, 4, 5, 4), torch.randint(4, (3, 5, 4))
    oracle = DiceLoss(softmax=True, to_onehot_y=True, include_background=False)
    torch.testing.assert_close(SoftDiceLoss()(logits, target), oracle(logits, target[:, None]))


def test_dice_at_its_ends():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    empty = torch.full((1, 1, 4, 4), -100.0)
    assert float(SoftDiceLoss()(empty, target)) == 0.0
    assert float(SoftDiceLoss(legacy_smooth=True)(empty, target)) == pytest.approx(-1.0)
    target[:, :2] = 1
    right = torch.where(target[:, None] == 1, 100.0, -100.0)
    assert float(SoftDiceLoss()(right, target)) == pytest.approx(0.0, abs=1e-6)
    assert float(SoftDiceLoss()(-right, target)) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ValueError, match="smooth must be > 0"):
        SoftDiceLoss(smooth=0.0)


def test_at_the_start_it_is_half_the_sum_and_two_logarithms():
    prediction, target = random_batch()
    loss = make_loss()
    total = loss(prediction, target)
    seg = SoftDiceLoss()(prediction["seg"], target["seg"][:, 0])
    cls = F.cross_entropy(prediction["cls"], target["cls"])
    torch.testing.assert_close(total, 0.5 * (seg + cls) + 2 * math.log(2))
    assert loss.task_losses == {"seg": seg, "cls": cls}
    assert loss.weights == {"seg": 0.5, "cls": 0.5}


def test_weights_follow_the_formula_and_a_large_loss_gets_a_small_one():
    loss = make_loss()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    values = {"seg": torch.tensor(0.3), "cls": torch.tensor(4.0)}
    for _ in range(600):
        total = sum(loss.weighted(task, value) for task, value in values.items())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    for task, value in values.items():
        square = float(loss.spreads[task].detach()) ** 2
        assert 2 * square**2 == pytest.approx(float(value) * (1 + square), rel=1e-3)
        assert float(loss.weighted(task, value).detach()) == pytest.approx(
            0.5 * float(value) / square + math.log1p(square)
        )
        assert loss.weights[task] == pytest.approx(0.5 / square)
    assert loss.weights["cls"] < loss.weights["seg"]


def test_a_checkpoint_carries_the_weights():
    loss = make_loss()
    loss.spreads["cls"].data.fill_(2.0)
    assert set(loss.state_dict()) == {"spreads.seg", "spreads.cls"}
    other = make_loss()
    other.load_state_dict(loss.state_dict())
    assert other.weights == {"seg": 0.5, "cls": 0.125}


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_a_sample_without_a_label_changes_nothing(order):
    prediction, target = random_batch()
    has = {"has_seg": torch.tensor([True, False, True, False]), "has_cls": torch.tensor([False, True, True, False])}
    seg = SoftDiceLoss()(prediction["seg"][[0, 2]], target["seg"][[0, 2], 0])
    cls = F.cross_entropy(prediction["cls"][[1, 2]], target["cls"][[1, 2]])
    shuffled = {name: value[order] for name, value in prediction.items()}
    total = make_loss()(shuffled, {name: value[order] for name, value in {**target, **has}.items()})
    torch.testing.assert_close(total, 0.5 * (seg + cls) + 2 * math.log(2))
    total.backward()
    for task, value in prediction.items():
        assert (value.grad.flatten(1).abs().sum(dim=1) > 0).tolist() == has[f"has_{task}"].tolist()


def test_a_task_without_any_label_rests_with_its_weight():
    net, loss = ACSNet(width=16), make_loss()
    target = {"seg": torch.zeros(2, 1, 32, 32), "cls": torch.tensor([0, 1]), "has_seg": torch.zeros(2)}
    total = loss(net(torch.randn(2, 3, 32, 32)), target)
    total.backward()
    assert set(loss.task_losses) == {"cls"}
    assert float(total.detach()) == pytest.approx(0.5 * float(loss.task_losses["cls"]) + math.log(2))
    assert loss.spreads["seg"].grad is None
    assert loss.spreads["cls"].grad is not None
    assert all(p.grad is None for p in net.seg_head.parameters())


def test_a_fixed_mix_is_the_plain_loss():
    prediction, target = random_batch()
    loss = MultiTaskLoss({"seg": SoftDiceLoss(), "cls": nn.CrossEntropyLoss()}, {"seg": 0.7, "cls": 0.3})
    total = loss(prediction, target)
    torch.testing.assert_close(total, 0.7 * loss.task_losses["seg"] + 0.3 * loss.task_losses["cls"])


def test_no_task_is_refused():
    with pytest.raises(ValueError, match="different tasks"):
        LearnedWeightsLoss({})


@contextmanager
def process_group() -> Iterator[None]:
    """Of one process."""
    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("has", [[1, 1], [1, 0], [0, 0]])
def test_where_processes_share_it_the_numbers_are_the_same_and_every_weight_has_a_gradient(has):
    prediction, target = random_batch()
    target |= {f"has_{task}": torch.full((4,), bool(one)) for task, one in zip(("seg", "cls"), has, strict=True)}
    alone, shared = make_loss(), make_loss()
    expected = alone(prediction, target)
    if any(has):
        expected.backward()
    with process_group():
        total = shared(prediction, target)
        total.backward()
    torch.testing.assert_close(total, expected)
    for task, spread in shared.spreads.items():
        wanted = alone.spreads[task].grad
        torch.testing.assert_close(spread.grad, torch.zeros(()) if wanted is None else wanted)


def test_where_processes_share_it_validation_has_the_same_numbers():
    prediction, target = random_batch()
    expected = make_loss()(prediction, target)
    with process_group(), torch.no_grad():
        total = make_loss()(prediction, target)
    torch.testing.assert_close(total, expected.detach())
