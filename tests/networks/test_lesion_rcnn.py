"""Lesion R-CNN: counts, answers, scripting, what each label trains, and what is drawn."""

from __future__ import annotations

from itertools import permutations

import onnx
import pytest
import torch
from monai.apps.detection.utils.box_coder import BoxCoder
from monai.data.box_utils import non_max_suppression
from torch import Tensor, nn

from monai_mtl.bundle.export import ExportedNetwork, export_onnx
from monai_mtl.layers import mask_boxes, paste_masks, pyramid_roi_align
from monai_mtl.layers.box_targets import OBJECT, UNJUDGED, UNKNOWN_OBJECT
from monai_mtl.losses import LesionRCNNLoss
from monai_mtl.networks import LesionRCNN

SIZES = ((1, 128, 64), (2, 192, 128))


def small(**options) -> LesionRCNN:
    defaults = {
        "encoder_depth": 18,
        "width": 4,
        "pyramid_channels": 8,
        "hidden": 16,
        "anchor_sizes": (16, 32, 64, 128, 256),
    }
    return LesionRCNN(
        **{
            **defaults,
            "proposals": (300, 60, 40),
            "samples": (64, 30),
            "min_confidence": 0.0,
            "image_mean": (0.0,) * 3,
            **options,
        }
    )


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # torchvision's maskrcnn_resnet50_fpn with three classes and trainable batch normalisation.
        ({}, 43_980_897),
        # Of its ResNet-101 form 62,867,681 are convolutions and linear layers; 105,344 are scales and shifts.
        ({"encoder_depth": 101}, 62_867_681 + 105_344),
        ({"mask_norm": True}, 43_980_897 + 4 * 256),
        ({"image_head": True}, 43_980_897 + 2 * 257),
        ({"cls_classes": 3}, 43_980_897 + 5 * 1025 + 257),
        ({"anchor_sizes": (32, 64, 128, 256), "mask_bins": 28, "union": True}, 43_980_897),
    ],
)
def test_parameters_are_as_counted_by_hand(options, parameters):
    with torch.device("meta"):
        assert count(LesionRCNN(**options)) == parameters


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"union": True, "image_head": True, "cls_classes": 3},
        {"anchor_sizes": (16, 32, 64, 128), "mask_bins": 7, "half_pixel": False, "mask_norm": True},
        {"encoder_depth": 50, "mask_bins": 28, "min_confidence": 0.999},
    ],
)
def test_shapes_at_two_sizes_in_both_modes_and_scripted(options):
    net = small(**options).eval()
    scripted = torch.jit.script(net)
    classes = options.get("cls_classes", 2)
    for batch, height, width in SIZES:
        image = torch.randn(batch, 3, height, width)
        with torch.inference_mode():
            out, again = net(image), scripted(image)
        expected = {"seg": (batch, 1, height, width), "cls": (batch, classes), "det": (batch, 5)}
        expected |= {"cls_image": (batch, classes)} if "image_head" in options else {}
        assert {name: tuple(value.shape) for name, value in out.items()} == expected
        assert next(iter(out)) == "seg"
        for name, value in out.items():
            torch.testing.assert_close(again[name], value, rtol=1e-4, atol=1e-4)
    assert set(net.train()(image)) == set(out)


@torch.no_grad()
def test_the_answer_is_the_box_with_the_highest_class_score():
    torch.manual_seed(3)
    net, image = small().eval(), torch.randn(2, 3, 128, 192)
    nn.init.normal_(net.box_head.cls_score.weight, std=1.0)
    out, pyramid = net(image), net.pyramid(image)
    boxes, exists = net.rpn.propose(*net.rpn(pyramid), (128, 192), 300, 40, 0.7)
    for i in range(2):
        proposals = boxes[i][exists[i]]
        where = torch.full((len(proposals),), i)
        logits, codes = net.box_head(pyramid_roi_align(pyramid[:4], proposals, where, 7))
        probability = logits.softmax(1)[:, 1:]
        best, lesion_class = divmod(int(probability.argmax()), 2)
        torch.testing.assert_close(out["det"][i, 4], probability[best, lesion_class])
        torch.testing.assert_close(out["cls"][i], logits[best, 1:])
        code = codes[best, 1 + lesion_class][None]
        moved = BoxCoder((10.0, 10.0, 5.0, 5.0)).decode_single(code, proposals[best][None])
        moved = moved.clamp(min=0).minimum(torch.tensor([192.0, 128, 192, 128]))
        torch.testing.assert_close(out["det"][i, :4], moved[0])
        mask = net.mask_head(pyramid_roi_align(pyramid[:4], moved, where[:1], 14))[:, 1 + lesion_class]
        torch.testing.assert_close(out["seg"][i], paste_masks(mask, moved, 128, 192), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_union_is_made_of_all_detections_that_no_better_one_of_their_class_overlaps():
    torch.manual_seed(3)
    net, image = small(union=True, min_confidence=0.35, proposals=(3000, 60, 120)).eval(), torch.randn(1, 3, 128, 192)
    nn.init.normal_(net.rpn.cls_logits.weight, std=1.0)
    nn.init.normal_(net.box_head.cls_score.weight, std=3.0)
    nn.init.normal_(net.box_head.bbox_pred.weight, std=0.3)
    pyramid = net.pyramid(image)
    boxes, exists = net.rpn.propose(*net.rpn(pyramid), (128, 192), 3000, 120, 0.7)
    proposals = boxes[0][exists[0]]
    logits, codes = net.box_head(pyramid_roi_align(pyramid[:4], proposals, torch.zeros(len(proposals)).long(), 7))
    score, lesion_class = logits.softmax(1)[:, 1:].max(1)
    union, shown = torch.full((128, 192), -torch.inf), 0
    for c in range(2):
        chosen = ((lesion_class == c) & (score >= 0.35)).nonzero()[:, 0]
        moved = BoxCoder((10.0, 10.0, 5.0, 5.0)).decode_single(codes[chosen, 1 + c], proposals[chosen])
        moved = torch.stack([moved[:, k].clamp(0, 192 if k % 2 == 0 else 128) for k in range(4)], dim=1)
        keep = non_max_suppression(moved, score[chosen], 0.3) if len(chosen) else []
        shown += len(keep)
        for k in keep:
            features = pyramid_roi_align(pyramid[:4], moved[k][None], torch.zeros(1).long(), 14)
            union = union.maximum(paste_masks(net.mask_head(features)[:, 1 + c], moved[k][None], 128, 192)[0])
    assert shown > 10
    out = net(image)
    torch.testing.assert_close(out["seg"][0, 0], union, atol=1e-4, rtol=1e-4)
    net.union = False
    alone = net(image)
    assert bool((out["seg"] >= alone["seg"] - 1e-4).all())
    for name in ("cls", "det"):
        torch.testing.assert_close(out[name], alone[name])


@pytest.mark.parametrize("union", [False, True])
def test_nothing_found_is_an_empty_mask_and_a_probability_of_zero(union):
    net = small(min_confidence=0.9, union=union).eval()
    with torch.inference_mode():
        out = net(torch.randn(2, 3, 128, 128))
    assert float(out["seg"].sigmoid().max()) < 1.1e-4
    assert not out["det"].any()
    assert out["cls"].softmax(1).tolist() == [[1, 0], [1, 0]]
    assert all(torch.isfinite(value).all() for value in out.values())


def labelled() -> tuple[Tensor, dict[str, Tensor]]:
    """Images with a mask only, a class only, both, and nothing."""
    seg = torch.zeros(4, 1, 128, 128, dtype=torch.uint8)
    seg[0, 0, 20:70, 30:100] = seg[2, 0, 60:120, 10:50] = 1
    has_seg, has_cls = torch.tensor([1, 0, 1, 0]).bool(), torch.tensor([0, 1, 1, 0]).bool()
    return torch.randn(4, 3, 128, 128), {
        "seg": seg,
        "cls": torch.tensor([0, 1, 1, 0]),
        "has_seg": has_seg,
        "has_cls": has_cls,
    }


def pick(order: tuple[int, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    image, target = labelled()
    return image[list(order)], {name: value[list(order)] for name, value in target.items()}


def reached(net: nn.Module) -> set[str]:
    return {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}


BOXES = {"rpn.", "mask_head.", "box_head.bbox_pred."}


@pytest.mark.parametrize(
    ("kinds", "resting"),
    [
        ((0,), {"image_head."}),
        ((1,), BOXES),
        ((2,), set()),
        ((0, 1), set()),
        ((1, 0), set()),
        ((1, 3), BOXES),
        ((3, 0), {"image_head."}),
    ],
)
def test_a_label_trains_its_parts_and_no_other_is_touched_even_by_decay(kinds, resting):
    net = small(image_head=True, freeze_norm=False, samples=(10_000, 30))  # every anchor of every map
    image, target = pick(kinds)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    LesionRCNNLoss()(net(image, target), target).backward()
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    # Which map a box is read from depends on its size, and one box alone is read where there is no mask.
    left_out = (*resting, "fpn.layer_blocks.") if resting == BOXES else (*resting, "none")
    assert moved - set(left_out) >= {name for name in before if not name.startswith(left_out)}
    assert not any(name.startswith(tuple(resting)) for name in moved if resting)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::2])
def test_in_every_order_of_a_mixed_batch_an_image_trains_the_terms_that_it_is_labelled_for(order):
    net = small(image_head=True).eval()
    net.training = True  # batch normalisation stays at rest, so that images are apart
    image, target = pick(order)
    for term, needs in (
        ("rpn_class", "seg"),
        ("rpn_box", "seg"),
        ("box", "seg"),
        ("mask", "seg"),
        ("cls_image", "cls"),
    ):
        image.grad = None
        image.requires_grad_()
        names = ("rpn_class", "rpn_box", "class", "box", "mask", "cls_image")
        loss = LesionRCNNLoss(weights={name: float(name == term) for name in names})
        loss(net(image, target), target).backward()
        assert (image.grad.flatten(1).abs().sum(1) > 0).tolist() == target[f"has_{needs}"].tolist(), term
    out = net(image, target)
    image.grad = None
    LesionRCNNLoss(weights=dict.fromkeys(("rpn_class", "rpn_box", "box", "mask", "cls_image"), 0.0))(
        out, target
    ).backward()
    either = target["has_seg"] | target["has_cls"]
    assert (image.grad.flatten(1).abs().sum(1) > 0).tolist() == either.tolist()
    for i, kind in enumerate(order):
        labels = set(out["roi_labels"][i].tolist())
        assert labels <= {0: {UNKNOWN_OBJECT, 0, -1}, 1: {UNJUDGED, -1}, 2: {2, 0, -1}, 3: {UNJUDGED, -1}}[kind]


def test_what_is_compared_is_what_the_mask_says():
    torch.manual_seed(1)
    net = small().eval()
    net.training = True
    image, target = pick((0, 2))
    out = net(image, target)
    true, _ = mask_boxes(target["seg"])
    on = out["roi_labels"].abs() > 1
    assert on[:, 0].all()  # the true box at least
    assert (out["rpn_labels"] == OBJECT).any(1).all()
    assert sorted(out["lesion_labels"].tolist()) == sorted([UNKNOWN_OBJECT] * int(on[0].sum()) + [2] * int(on[1].sum()))
    # A box that is the true one has nothing to move, and its mask is a full rectangle.
    exact = (out["box_delta_targets"].abs().max(1)[0] < 1e-6).nonzero()[:, 0]
    assert len(exact) >= 2
    assert out["mask_targets"][exact].min() == 1
    assert out["mask_logits"].shape == (len(out["lesion_labels"]), 2, 28, 28)
    assert true.tolist() == [[30, 20, 100, 70], [10, 60, 50, 120]]


def test_it_learns_in_float64():
    net = small(freeze_norm=False).double()
    image, target = pick((0, 1))
    LesionRCNNLoss()(net(image.double(), target), target).backward()
    assert {p.grad.dtype for p in net.parameters() if p.grad is not None} == {torch.float64}
    assert net.eval()(image.double())["seg"].dtype == torch.float64


def test_an_image_whose_mask_is_empty_teaches_background_alone():
    net = small()
    image, target = pick((0,))
    target["seg"].zero_()
    out = net(image, target)
    assert set(out["rpn_labels"].tolist()[0]) == set(out["roi_labels"].tolist()[0]) == {0}
    loss = LesionRCNNLoss()
    loss(out, target).backward()
    assert set(loss.task_losses) == {"rpn_class", "class"}


def test_what_is_drawn_depends_on_the_generator_alone():
    net = small()
    image, target = pick((0, 2))
    found = []
    for seed in (5, 5, 6):
        net.generator = torch.Generator().manual_seed(seed)
        state = torch.get_rng_state()
        found.append(net(image, target)["rpn_logits"])
        assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_mean_is_taken_away_and_scales_are_not_decayed():
    net = small(image_mean=(10.0, 20.0, 30.0), image_std=(1.0, 2.0, 4.0)).eval()
    plain = small(image_mean=(0.0, 0.0, 0.0)).eval()
    plain.load_state_dict(net.state_dict())
    image = torch.randn(1, 3, 64, 64)
    shifted = image * torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1) + torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1)
    torch.testing.assert_close(net.pyramid(shifted), plain.pyramid(image), rtol=1e-3, atol=1e-3)
    decayed, free = net.parameter_groups(0.1)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    names = {id(p): name for name, p in net.named_parameters()}
    assert sorted(names.values()) == sorted(names[id(p)] for group in (decayed, free) for p in group["params"])
    assert {names[id(p)].rpartition(".")[0].rpartition(".")[2] for p in free["params"]} == {"bn1", "bn2", "1"}


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_statistics_stay_in_training(freeze):
    net = small(freeze_norm=freeze, mask_norm=True).train()
    before = {name: value.clone() for name, value in net.named_buffers() if "running" in name}
    image, target = pick((0, 2))
    net(image, target)
    changed = [not torch.equal(value, dict(net.named_buffers())[name]) for name, value in before.items()]
    assert any(changed) != freeze
    assert set(net.state_dict()) == set(small(freeze_norm=not freeze, mask_norm=True).state_dict())


@pytest.mark.parametrize(
    "wrong",
    [
        {"cls_classes": 1}, {"hidden": 0}, {"encoder_depth": 10}, {"anchor_sizes": (32,)}, {"anchor_ratios": ()},
        {"mask_bins": 10},
        {"image_mean": (0.0,)},
        {"image_std": (1.0, 0.0, 1.0)}, {"proposals": (1, 2)}, {"proposals": (10, 20, 5)},
        {"samples": (2, 2)}, {"min_confidence": 2.0}, {"max_detections": 0},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="LesionRCNN expects"):
        LesionRCNN(**wrong)


def test_a_size_that_would_not_halve_six_times_is_refused():
    with pytest.raises(ValueError, match="multiples of 64"):
        small()(torch.zeros(1, 3, 96, 128))


@pytest.mark.parametrize("options", [{}, {"union": True}, {"min_confidence": 0.99, "image_head": True}])
def test_onnx_with_its_suppression_equals_it_at_three_sizes(options, tmp_path):
    net = small(**{"proposals": (2000, 60, 100), "min_confidence": 0.3, **options}).eval()
    nn.init.normal_(net.box_head.cls_score.weight, std=1.0)
    path = export_onnx(net, tmp_path / "net.onnx", torch.randn(1, 3, 128, 192))
    assert "NonMaxSuppression" in {node.op_type for node in onnx.load(path).graph.node}
    exported = ExportedNetwork(path)
    for shape in ((2, 3, 128, 192), (1, 3, 64, 64), (3, 3, 256, 256)):
        image = torch.randn(shape)
        with torch.inference_mode():
            expected = net(image)
        for name, value in exported(image).items():
            torch.testing.assert_close(value, expected[name], atol=1e-3, rtol=1e-4)
