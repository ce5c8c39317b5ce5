"""HDS losses against the authors' values, their special cases and mixed batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from monai_mtl.losses import HybridDeepSupervisionLoss, SparseMILLoss

from ..conftest import DATA


def make_loss(mu: float = 1e-6, select: str = "foreground_probability", **options) -> HybridDeepSupervisionLoss:
    return HybridDeepSupervisionLoss(
        **{
            "losses": {"seg": nn.CrossEntropyLoss(), "cls": SparseMILLoss(mu, select)},
            "weights": {"seg": 1.0, "cls": 0.03},
            "level_weights": [3.5, 3.0, 2.5, 2.0, 1.5, 1.0],
            "final_decay": {"seg": 0.005, "cls": 0.05},
            "max_epochs": 2800,
            **options,
        }
    )


def random_batch(batch: int = 4) -> tuple[dict, dict]:
    prediction = {"seg_levels": torch.randn(6, batch, 2, 16, 8), "cls_levels": torch.randn(6, batch, 2, 4, 3)}
    prediction = {name: value.requires_grad_() for name, value in prediction.items()}
    target = {"seg": torch.randint(2, (batch, 1, 16, 8)), "cls": torch.randint(2, (batch,))}
    return prediction, target


@pytest.mark.parametrize("mu", ["1e-06", "0.01"])
def test_matches_the_authors_values(mu):
    golden = np.load(DATA / "hds_loss.npz")
    loss = make_loss(float(mu), "background_logit")
    prediction = {f"{task}_levels": torch.from_numpy(golden[f"{task}_logits"]) for task in ("seg", "cls")}
    target = {"seg": torch.from_numpy(golden["mask"])[:, None], "cls": torch.from_numpy(golden["labels"])}
    total = loss(prediction, target)
    assert float(total) == pytest.approx(float(golden[f"total_mu{mu}"]), rel=1e-5)
    assert float(loss.task_losses["seg"]) == pytest.approx(float(golden["seg_total"]), rel=1e-5)
    assert float(loss.task_losses["cls"]) == pytest.approx(float(golden[f"cls_total_mu{mu}"]), rel=1e-5)
    terms = [float(loss.losses["cls"](level, target["cls"])) for level in prediction["cls_levels"]]
    assert terms == pytest.approx(golden[f"cls_terms_mu{mu}"], rel=1e-5)


def test_selection_rules_differ_and_follow_their_definition():
    # Position 0: largest foreground probability. Position 1: smallest background logit.
    cls_map = torch.tensor([[[[-1.0, -5.0]], [[9.0, 0.0]]]])
    y = torch.tensor([1])
    for rule, position in (("foreground_probability", 0), ("background_logit", 1)):
        expected = F.cross_entropy(cls_map[..., 0, position], y)
        torch.testing.assert_close(SparseMILLoss(0.0, rule)(cls_map, y), expected)


def test_sparse_mil_of_one_position_is_cross_entropy():
    logits, y = torch.randn(5, 3), torch.randint(3, (5,))
    torch.testing.assert_close(SparseMILLoss(mu=0.0)(logits[..., None, None], y), F.cross_entropy(logits, y))


def test_sparsity_vanishes_on_a_certain_background():
    cls_map = torch.stack([torch.full((2, 4, 4), 100.0), torch.full((2, 4, 4), -100.0)], dim=1)
    assert float(SparseMILLoss(mu=1.0)(cls_map, torch.zeros(2, dtype=torch.long))) == 0.0


def test_level_weights_follow_the_epoch():
    loss = make_loss()
    assert loss.current_level_weights("seg", 6) == [3.5, 3.0, 2.5, 2.0, 1.5, 1.0]
    loss.epoch = 2800
    assert loss.current_level_weights("seg", 6)[0] == pytest.approx(0.0175, rel=2e-3)
    assert loss.current_level_weights("cls", 6)[0] == pytest.approx(0.175, rel=2e-3)
    assert loss.current_level_weights("cls", 6)[-1] == 1.0
    loss.epoch = 1401  # the product of the factors of 1,400 epochs
    assert loss.current_level_weights("seg", 2) == pytest.approx([1.5 * 0.005 ** (1400 / 2800), 1.0])


def test_one_level_is_the_plain_sum_of_the_tasks():
    prediction, target = random_batch()
    prediction = {name: value[-1:] for name, value in prediction.items()}
    seg = F.cross_entropy(prediction["seg_levels"][0], target["seg"][:, 0])
    cls = SparseMILLoss()(prediction["cls_levels"][0], target["cls"])
    torch.testing.assert_close(make_loss()(prediction, target), seg + 0.03 * cls)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_a_sample_without_a_label_changes_nothing(order):
    prediction, target = random_batch()
    has = {"has_seg": torch.tensor([True, False, True, False]), "has_cls": torch.tensor([False, True, True, False])}
    expected = make_loss(weights={"seg": 1.0, "cls": 0.0})(
        {name: value[:, [0, 2]] for name, value in prediction.items()}, {k: v[[0, 2]] for k, v in target.items()}
    ) + make_loss(weights={"seg": 0.0, "cls": 0.03})(
        {name: value[:, [1, 2]] for name, value in prediction.items()}, {k: v[[1, 2]] for k, v in target.items()}
    )
    shuffled = {name: value[:, order] for name, value in prediction.items()}
    total = make_loss()(shuffled, {k: v[order] for k, v in {**target, **has}.items()})
    torch.testing.assert_close(total, expected)
    total.backward()
    reached = {name: value.grad.abs().sum(dim=(0, 2, 3, 4)) > 0 for name, value in prediction.items()}
    assert reached["seg_levels"].tolist() == has["has_seg"].tolist()
    assert reached["cls_levels"].tolist() == has["has_cls"].tolist()


@pytest.mark.parametrize("several", [False, True])
def test_a_batch_without_any_mask_trains_only_the_class(several, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: several)
    prediction, target = random_batch()
    loss = make_loss()
    total = loss(prediction, {**target, "has_seg": torch.zeros(4, dtype=torch.bool)})
    total.backward()
    assert set(loss.task_losses) == {"cls"}
    assert float(total.detach()) == pytest.approx(0.03 * float(loss.task_losses["cls"]))
    if several:  # distributed training averages a gradient of every parameter
        assert not prediction["seg_levels"].grad.any()
    else:
        assert prediction["seg_levels"].grad is None
    assert prediction["cls_levels"].grad.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weights": {"seg": 1.0}}, "different tasks"),
        ({"weights": {"seg": 1.0, "cls": -1.0}}, "must be >= 0"),
        ({"final_decay": {"seg": 0.0, "cls": 1.0}}, "final_decay must be"),
        ({"max_epochs": 0}, "max_epochs must be"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_loss(**wrong)


def test_other_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="mu must be"):
        SparseMILLoss(mu=-1.0)
    with pytest.raises(ValueError, match="select must be"):
        SparseMILLoss(select="max")
    with pytest.raises(ValueError, match="level_weights only 1"):
        make_loss(level_weights=[1.0])(*random_batch())
