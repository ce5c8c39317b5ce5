"""Focal cost, Jaccard distance and the loss of the lesion R-CNN: closed forms, and MONAI's where it has one."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from monai.losses import FocalLoss
from torch import Tensor

from monai_mtl.layers.box_targets import IGNORED, UNJUDGED, UNKNOWN_OBJECT
from monai_mtl.losses import LesionRCNNLoss, focal_cost, jaccard_distance


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.6, 1.0), (0.5, 0.0)])
def test_the_focal_cost_is_monais(alpha, gamma):
    logits, truth = torch.randn(40, 3), torch.randint(3, (40,))
    log_p = logits.log_softmax(1).gather(1, truth[:, None])[:, 0]
    settings = {"gamma": gamma, "alpha": alpha, "reduction": "none", "to_onehot_y": True}
    monai = FocalLoss(**settings, use_softmax=True)(logits, truth[:, None]).sum(1)
    torch.testing.assert_close(focal_cost(log_p, truth > 0, alpha, gamma), monai)
    one, truth = torch.randn(40, 1), torch.randint(2, (40, 1)).bool()
    log_p = F.logsigmoid(torch.where(truth, one, -one))
    monai = FocalLoss(gamma=gamma, alpha=alpha, reduction="none")(one, truth.float())
    torch.testing.assert_close(focal_cost(log_p, truth, alpha, gamma), monai)


def test_a_focal_cost_of_exponent_zero_is_half_the_cross_entropy_and_certainty_costs_nothing():
    log_p = torch.tensor([-0.5, -3.0, 0.0])
    for foreground in (True, False):
        cost = focal_cost(log_p, torch.full((3,), foreground), 0.5, 0.0)
        torch.testing.assert_close(cost, torch.tensor([0.25, 1.5, 0.0]))
    certain = torch.zeros(1, requires_grad=True)
    focal_cost(certain, torch.tensor([True])).sum().backward()
    assert certain.grad is not None
    assert torch.isfinite(certain.grad).all()


def test_equal_masks_cost_nothing_and_masks_apart_what_the_formula_says():
    mask = torch.zeros(2, 10, 10)
    mask[0, :4, :5], mask[1, 5:, :4] = 1, 1
    torch.testing.assert_close(jaccard_distance(mask, mask), torch.zeros(2))
    apart = jaccard_distance(mask[0], mask[1], 100.0)
    torch.testing.assert_close(apart, torch.tensor(100 * 40 / 140))
    half = jaccard_distance(0.5 * mask[0], mask[0], 1.0)
    torch.testing.assert_close(half, torch.tensor(1 - 11 / 21))


def prediction(**changed: Tensor) -> dict[str, Tensor]:
    """Three images: one with mask and class, one with a mask only, one with a class only."""
    made = {
        "rpn_logits": torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [5.0, 5.0, 5.0]]),
        "rpn_labels": torch.tensor([[1, 0, IGNORED], [1, 0, 0], [IGNORED] * 3]),
        "rpn_deltas": torch.tensor([[0.0, 0, 0, 0], [1, 1, 1, 3]]),
        "rpn_delta_targets": torch.tensor([[2.0, 0, 0, 0], [1, 1, 1, 3]]),
        "roi_logits": torch.tensor(
            [[[0.0, 0, 1], [2, 0, 0]], [[0.0, 1, 1], [0, 0, 0]], [[0.0, 0, 0], [-1.0, 1, 0]]], requires_grad=True
        ),
        "roi_labels": torch.tensor([[2, 0], [UNKNOWN_OBJECT, IGNORED], [UNJUDGED, UNJUDGED]]),
        "lesion_labels": torch.tensor([2, UNKNOWN_OBJECT]),
        "box_deltas": torch.tensor(
            [[[9.0, 9, 9, 9], [0, 0, 0, 0]], [[2.0, 2, 2, 2], [0, 0, 0, 0]]], requires_grad=True
        ),
        "box_delta_targets": torch.tensor([[0.0, 0, 0, 0.5], [0, 0, 0, 0]]),
        "mask_logits": torch.zeros(2, 2, 4, 4, requires_grad=True),
        "mask_targets": torch.stack([torch.ones(4, 4), torch.zeros(4, 4)]),
    }
    return made | changed


TARGET = {
    "cls": torch.tensor([1, 0, 0]),
    "has_seg": torch.tensor([True, True, False]),
    "has_cls": torch.tensor([True, False, True]),
}


def plain(**options) -> LesionRCNNLoss:
    return LesionRCNNLoss(focal_rpn=False, focal_head=False, jaccard=False, **options)


def test_each_term_is_the_mean_that_its_formula_says():
    loss = plain()
    total = loss(prediction(), TARGET)
    soft = lambda z: math.log1p(math.exp(z))  # noqa: E731
    # Two anchors were drawn of the first image and three of the second.
    rpn_class = ((soft(0) + soft(2)) / 2 + (soft(-1) + 2 * soft(0)) / 3) / 2
    rpn_box = 10 * ((2 - 0.5) / 2 + 0 / 3) / 2
    e = math.e
    both = (-math.log(e / (2 + e)) - math.log(e**2 / (2 + e**2))) / 2
    mask_only = -math.log(2 * e / (1 + 2 * e))
    class_only = -math.log(e / (1 + e))  # of the second box, which is the more like a lesion
    expected = {
        "rpn_class": rpn_class,
        "rpn_box": rpn_box,
        "class": (both + mask_only + class_only) / 3,
        # Of the known class alone; of the unknown class, half of each.
        "box": (0.5 * 0.25 / 4 + (0.5 * 1.5 + 0.5 * 0)) / 2,
        "mask": math.log(2),
    }
    assert {name: float(value) for name, value in loss.task_losses.items()} == pytest.approx(expected, rel=1e-5)
    assert float(total) == pytest.approx(sum(expected.values()), rel=1e-5)


def drawn_at_random(lesion_boxes: list[int], generator: torch.Generator) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Prediction and target for images with a mask that have these numbers of boxes on the lesion."""
    batch, number = len(lesion_boxes), max(lesion_boxes) + 3
    rand = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    on = torch.arange(number) < torch.tensor(lesion_boxes).unsqueeze(1)
    classes = torch.arange(batch) % 2
    labels = torch.where(on, 1 + classes.unsqueeze(1), 0)
    labels[0, -1] = IGNORED
    n = int(on.sum())
    made = {
        "rpn_logits": rand(batch, number),
        "rpn_labels": torch.where(labels > 0, 1, labels),
        "rpn_deltas": rand(n, 4),
        "rpn_delta_targets": rand(n, 4),
        "roi_logits": rand(batch, number, 3),
        "roi_labels": labels,
        "lesion_labels": labels[on],
        "box_deltas": rand(n, 2, 4),
        "box_delta_targets": rand(n, 4),
        "mask_logits": rand(n, 2, 4, 4),
        "mask_targets": (rand(n, 4, 4) > 0).double(),
    }
    everything = torch.ones(batch, dtype=torch.bool)
    return made, {"cls": classes, "has_seg": everything, "has_cls": everything}


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_the_loss_of_a_batch_is_the_mean_of_its_images_however_it_is_cut(cut):
    """Images with many boxes on the lesion, with one and with none."""
    lesion_boxes = [5, 0, 1, 2]
    made, target = drawn_at_random(lesion_boxes, torch.Generator().manual_seed(cut))
    loss = LesionRCNNLoss()
    whole = loss(made, target)
    before = sum(lesion_boxes[:cut])
    parts = []
    for images, boxes in ((slice(cut), slice(before)), (slice(cut, None), slice(before, None))):
        rows = {name: value[images if len(value) == len(lesion_boxes) else boxes] for name, value in made.items()}
        parts.append(loss(rows, {name: value[images] for name, value in target.items()}))
    torch.testing.assert_close(whole, (cut * parts[0] + (4 - cut) * parts[1]) / 4, rtol=1e-12, atol=0)


def test_the_switches_change_their_term_alone():
    terms = {}
    for name, options in (
        ("rpn_class", {"focal_rpn": True}),
        ("class", {"focal_head": True}),
        ("mask", {"jaccard": True}),
    ):
        before, after = plain(), LesionRCNNLoss(**{"focal_rpn": False, "focal_head": False, "jaccard": False} | options)
        before(prediction(), TARGET)
        after(prediction(), TARGET)
        different = {n for n in before.task_losses if not torch.equal(before.task_losses[n], after.task_losses[n])}
        assert different == {name}
        terms[name] = float(after.task_losses[name])
    distance = 100 * (1 - 108 / 116), 100 * (1 - 100 / 108)
    assert terms["mask"] == pytest.approx(math.log(2) + sum(distance) / 2, rel=1e-4)


def test_a_lesion_of_unknown_class_teaches_both_classes_and_a_known_one_its_own():
    predicted = prediction()
    plain()(predicted, TARGET).backward()
    known, unknown = predicted["mask_logits"].grad.flatten(2).abs().sum(2)
    assert known[0] == 0
    assert known[1] > 0
    assert unknown[0] == unknown[1] == known[1] / 2
    # Boxes of the image with a class only: the one most like a lesion, and not its background.
    gradient = predicted["roi_logits"].grad[2]
    assert not gradient[0].any()
    assert gradient[1, 0] == 0
    assert gradient[1, 1:].abs().min() > 0
    assert not predicted["roi_logits"].grad[1, 1].any()  # an ignored box


def test_a_weight_scales_its_term_and_zero_leaves_no_gradient():
    loss = plain(weights={"mask": 0.0, "box": 3.0})
    predicted = prediction()
    total = loss(predicted, TARGET)
    total.backward()
    told = loss.task_losses
    rest = sum(value for name, value in told.items() if name not in ("mask", "box"))
    torch.testing.assert_close(total.detach(), rest + 3 * told["box"])
    assert predicted["mask_logits"].grad is None


def test_the_image_head_learns_from_images_with_a_class():
    logits = torch.randn(3, 2, requires_grad=True)
    loss = plain()
    loss(prediction(cls_image=logits), TARGET)
    expected = F.cross_entropy(logits[[0, 2]], torch.tensor([1, 0]))
    torch.testing.assert_close(loss.task_losses["cls_image"], expected.detach())


def test_without_any_label_the_loss_is_zero_and_so_is_every_gradient():
    predicted = prediction(
        rpn_labels=torch.full((3, 3), IGNORED),
        roi_labels=torch.full((3, 2), UNJUDGED),
        lesion_labels=torch.zeros(0, dtype=torch.int64),
    )
    loss = plain()
    total = loss(predicted, TARGET | {"has_cls": torch.zeros(3, dtype=torch.bool)})
    total.backward()
    assert float(total) == 0
    assert loss.task_losses == {}
    assert not predicted["roi_logits"].grad.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.5},
        {"gamma": -1.0},
        {"rho": -1.0},
        {"jaccard_delta": 0.0},
        {"weights": {"seg": 1.0}},
        {"weights": {"box": -1.0}},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        LesionRCNNLoss(**wrong)
