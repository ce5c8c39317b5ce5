"""The sum of task losses: its special cases and partly labelled batches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from monai_mtl.losses import MultiTaskLoss
from monai_mtl.networks import YNet

WEIGHTS = {"seg": 1.0, "cls": 0.5}


def make_loss(**weights: float) -> MultiTaskLoss:
    weights = weights or WEIGHTS
    return MultiTaskLoss({task: nn.CrossEntropyLoss() for task in weights}, weights)


def random_batch(batch: int = 4) -> tuple[dict, dict]:
    prediction = {"seg": torch.randn(batch, 8, 6, 5).requires_grad_(), "cls": torch.randn(batch, 4).requires_grad_()}
    target = {"seg": torch.randint(8, (batch, 1, 6, 5)), "cls": torch.randint(4, (batch,))}
    return prediction, target


def test_it_is_the_weighted_sum_and_keeps_each_task():
    prediction, target = random_batch()
    seg, cls = (
        F.cross_entropy(prediction["seg"], target["seg"][:, 0]),
        F.cross_entropy(prediction["cls"], target["cls"]),
    )
    loss = make_loss()
    torch.testing.assert_close(loss(prediction, target), seg + 0.5 * cls)
    assert loss.task_losses == {"seg": seg, "cls": cls}
    assert not any(value.requires_grad for value in loss.task_losses.values())
    assert loss.weights == WEIGHTS


def test_one_task_is_its_own_loss():
    prediction, target = random_batch()
    torch.testing.assert_close(
        make_loss(seg=1.0)(prediction, target), F.cross_entropy(prediction["seg"], target["seg"][:, 0])
    )


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_a_sample_without_a_label_changes_nothing(order):
    prediction, target = random_batch()
    has = {"has_seg": torch.tensor([True, False, True, False]), "has_cls": torch.tensor([False, True, True, False])}
    expected = F.cross_entropy(prediction["seg"][[0, 2]], target["seg"][[0, 2], 0])
    expected = expected + 0.5 * F.cross_entropy(prediction["cls"][[1, 2]], target["cls"][[1, 2]])
    shuffled = {name: value[order] for name, value in prediction.items()}
    total = make_loss()(shuffled, {name: value[order] for name, value in {**target, **has}.items()})
    torch.testing.assert_close(total, expected)
    total.backward()
    for task, value in prediction.items():
        assert (value.grad.flatten(1).abs().sum(dim=1) > 0).tolist() == has[f"has_{task}"].tolist()


@pytest.mark.parametrize("several", [False, True])
def test_a_batch_without_any_mask_trains_only_the_class(several, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: several)
    net, loss = YNet(width=8, depth=1), make_loss()
    target = {"seg": torch.zeros(2, 1, 32, 32), "cls": torch.tensor([0, 3]), "has_seg": torch.zeros(2)}
    total = loss(net(torch.rand(2, 3, 32, 32)), target)
    total.backward()
    assert set(loss.task_losses) == {"cls"}
    assert float(total.detach()) == pytest.approx(0.5 * float(loss.task_losses["cls"]))
    # distributed training averages a gradient of every parameter
    assert all((p.grad is not None) == several for p in net.decoder.parameters())
    assert not any(p.grad.any() for p in net.decoder.parameters() if p.grad is not None)
    assert any(bool(p.grad.any()) for p in net.encoder.parameters())


def test_parameters_of_a_task_without_labels_are_not_worn_down_by_weight_decay():
    """Adam would take a step of the learning rate towards zero for a gradient that is nothing but decay."""
    net = nn.ModuleDict({"seg": nn.Conv2d(1, 8, 1), "cls": nn.Linear(1, 4)})
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1, weight_decay=0.01)
    image, target = torch.rand(2, 1, 6, 5), random_batch(2)[1]
    before = [p.detach().clone() for p in net["cls"].parameters()]
    for has_cls in (True, False, False):
        prediction = {"seg": net["seg"](image), "cls": net["cls"](image.mean((2, 3)))}
        optimizer.zero_grad(set_to_none=True)
        make_loss(seg=1.0, cls=1.0)(prediction, {**target, "has_cls": torch.full((2,), has_cls)}).backward()
        moved = [p.detach().clone() for p in net["seg"].parameters()]
        optimizer.step()
        assert not any(torch.equal(a, b) for a, b in zip(moved, net["seg"].parameters(), strict=True))
        same = [torch.equal(a, b) for a, b in zip(before, net["cls"].parameters(), strict=True)]
        assert all(same) == (not has_cls)
        before = [p.detach().clone() for p in net["cls"].parameters()]


def test_a_batch_without_any_label_is_zero_and_can_be_stepped():
    prediction, target = random_batch()
    has = {f"has_{task}": torch.zeros(4) for task in prediction}
    total = make_loss(seg=1.0, cls=1.0)(prediction, {**target, **has})
    total.backward()
    assert float(total.detach()) == 0.0
    assert not any(value.grad.any() for value in prediction.values())


@pytest.mark.parametrize(
    ("losses", "weights", "message"),
    [
        (["seg"], {"seg": 1.0, "cls": 1.0}, "different tasks"),
        ([], {}, "different tasks"),
        (["seg"], {"seg": -1.0}, "must be >= 0"),
    ],
)
def test_wrong_arguments_are_refused(losses, weights, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskLoss({task: nn.CrossEntropyLoss() for task in losses}, weights)
