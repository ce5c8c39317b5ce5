"""FCN, S-Net and C-Net: counts, shapes, exports, and what each label trains."""

from __future__ import annotations

from itertools import permutations

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from monai.data import list_data_collate
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from monai_mtl.engines import PrepareMultiTaskBatch
from monai_mtl.errors import DataError, MissingError
from monai_mtl.losses import BinaryCrossEntropyLoss, InverseFrequencyCrossEntropy, MultiTaskLoss
from monai_mtl.networks import FCNSNetCNet
from monai_mtl.transforms import EnsureTaskLabelsd

from .test_hds_uresnet import relative_error

SIZES = ((1, 3, 32, 32), (2, 3, 96, 64), (1, 3, 128, 160))
OPTIONS = [
    {},
    {"in_channels": 1, "seg_classes": 2, "cls_classes": 3},
    {"encoder_depth": 50, "output_stride": 16, "pool": "log_sum_exp"},
    {"output_stride": 8, "upsample": "deconv"},
    {"encoder_depth": 34, "upsample": "deconv", "pool": "log_sum_exp", "pool_sharpness": 4.0},
]


def small(**options) -> FCNSNetCNet:
    return FCNSNetCNet(**{"encoder_depth": 18, "width": 4, **options})


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 23_508_032 + 6_147 + 2_049),
        ({"seg_classes": 2}, 23_508_032 + 4_098 + 2_049),
        ({"encoder_depth": 18}, 11_176_512 + 1_539 + 513),
        ({"encoder_depth": 34}, 21_284_672 + 1_539 + 513),
        ({"encoder_depth": 101}, 42_500_160 + 6_147 + 2_049),
        ({"output_stride": 8, "pool": "log_sum_exp"}, 23_516_228),
        ({"upsample": "deconv"}, 23_516_228 + 3 * 64 * 64),
        ({"in_channels": 1}, 23_516_228 - 2 * 64 * 49),
    ],
)
def test_parameters_are_as_counted_by_hand(options, parameters):
    with torch.device("meta"):
        net = FCNSNetCNet(**options)
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize(("output_stride", "expected"), [(32, 84.08), (16, 127.70), (8, 392.55)])
def test_multiplications_are_as_stated(output_stride, expected):
    with torch.device("meta"):
        net, image = FCNSNetCNet(output_stride=output_stride).eval(), torch.empty(1, 3, 1152, 896)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("options", OPTIONS)
def test_shapes_at_three_sizes_in_both_modes_and_scripted(options):
    net = small(**options).eval()
    scripted = torch.jit.script(net)
    for batch, _, height, width in SIZES:
        image = torch.randn(batch, options.get("in_channels", 3), height, width)
        with torch.inference_mode():
            out, again = net(image), scripted(image)
        assert {name: tuple(value.shape) for name, value in out.items()} == {
            "seg": (batch, options.get("seg_classes", 3), height, width),
            "cls": (batch, options.get("cls_classes", 1)),
        }
        for name, value in out.items():
            torch.testing.assert_close(again[name], value, rtol=1e-4, atol=1e-5)
    assert set(net.train()(torch.cat([image, image]))) == {"seg", "cls"}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, OPTIONS[2] | {"upsample": "deconv"}])
def test_onnx_equals_it_at_three_sizes(options, tmp_path):
    net, path = small(**options).eval(), str(tmp_path / "net.onnx")
    axes = {"image": dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    names = {"input_names": ["image"], "output_names": ["seg", "cls"]}
    torch.onnx.export(net, (torch.randn(2, 3, 64, 96),), path, **names, dynamic_shapes=axes, verbose=False)
    session = onnxruntime.InferenceSession(path)
    for shape in SIZES:
        image = torch.randn(shape)
        with torch.inference_mode():
            expected = net(image)
        for name, value in zip(("seg", "cls"), session.run(None, {"image": image.numpy()}), strict=True):
            assert relative_error(expected[name], value) < 1e-4


@torch.inference_mode()
def test_both_heads_read_the_same_features_as_the_paper_says():
    net, image = small().eval(), torch.randn(2, 3, 64, 96)
    features, out = net.features(image), net(image)
    maps = F.conv2d(features, net.s_net.head.weight, net.s_net.head.bias)
    torch.testing.assert_close(out["seg"], F.interpolate(maps, scale_factor=32, mode="bilinear", align_corners=False))
    torch.testing.assert_close(out["cls"], F.linear(features.mean((2, 3)), net.c_net.head.weight, net.c_net.head.bias))


def reached(net: nn.Module) -> set[str]:
    return {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}


def test_each_task_reaches_the_encoder_and_its_own_head_alone():
    net = small(upsample="deconv", pool="log_sum_exp")
    names = {name for name, _ in net.named_parameters()}
    for task, other in (("seg", "c_net."), ("cls", "s_net.")):
        net.zero_grad()
        net(torch.randn(2, 3, 64, 64))[task].square().sum().backward()
        assert reached(net) == {name for name in names if not name.startswith(other)}


def cases() -> dict[str, dict]:
    """A case with a mask only, one with a class only, one with both."""
    image, mask = torch.rand(3, 3, 64, 64), torch.randint(3, (3, 1, 64, 64), dtype=torch.uint8)
    return {
        "mask": {"image": image[0], "label_seg": mask[0]},
        "class": {"image": image[1], "label_cls": 1},
        "both": {"image": image[2], "label_seg": mask[2], "label_cls": 0},
    }


def batch_of(names: tuple[str, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    """As a training makes it of the datalist's cases."""
    complete, all_cases = EnsureTaskLabelsd({"seg": "mask", "cls": "class"}), cases()
    return PrepareMultiTaskBatch(["seg", "cls"])(list_data_collate([complete(all_cases[name]) for name in names]))


def joint_loss(seg_weight: float = 0.5) -> MultiTaskLoss:
    losses = {"seg": InverseFrequencyCrossEntropy([8, 1, 1]), "cls": BinaryCrossEntropyLoss()}
    return MultiTaskLoss(losses, {"seg": seg_weight, "cls": 1.0})


@pytest.mark.parametrize("order", list(permutations(["mask", "class", "both"])))
def test_in_every_order_of_a_mixed_batch_each_case_trains_what_it_is_labelled_for(order):
    torch.manual_seed(0)
    image, target = batch_of(order)
    net, loss = small(), joint_loss()
    out = net(image)
    for value in out.values():
        value.retain_grad()
    total = loss(out, target)
    total.backward()
    for task, without in (("seg", "class"), ("cls", "mask")):
        trains = (out[task].grad.flatten(1).abs().sum(dim=1) > 0).tolist()
        assert trains == [name != without for name in order]
    assert reached(net) == {name for name, _ in net.named_parameters()}
    # What each case costs by itself, each task averaged over the two cases that have it.
    place = {name: i for i, name in enumerate(order)}
    weight = torch.tensor([1.0, 8.0, 8.0])
    masks = [place["mask"], place["both"]]
    seg = [F.cross_entropy(out["seg"][i : i + 1], target["seg"][i].long(), weight=weight) for i in masks]
    logits = out["cls"][[place["class"], place["both"]], 0]
    cls = F.binary_cross_entropy_with_logits(logits, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(total, 0.5 * (seg[0] + seg[1]) / 2 + cls)


@pytest.mark.parametrize(
    ("names", "resting"),
    [
        (("mask", "mask"), "c_net."),
        (("class", "class"), "s_net."),
        (("both", "both"), "none"),
        (("mask", "class"), "none"),
        (("class", "mask"), "none"),
    ],
)
def test_a_head_without_labels_rests_and_the_encoder_always_learns(names, resting):
    net = small()
    image, target = batch_of(names)
    optimizer = torch.optim.SGD(net.parameter_groups(0.1), momentum=0.9, weight_decay=0.1)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    joint_loss()(net(image), target).backward()
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name in before if not name.startswith(resting)}


def test_segmentation_first_and_classification_then_train_one_head_each():
    image, target = batch_of(("mask", "class", "both"))
    for task, loss, resting in (
        ("seg", InverseFrequencyCrossEntropy([8, 1, 1]), "c_net."),
        ("cls", BinaryCrossEntropyLoss(), "s_net."),
    ):
        net = small()
        MultiTaskLoss({task: loss}, {task: 1.0})(net(image), target).backward()
        assert reached(net) == {name for name, _ in net.named_parameters() if not name.startswith(resting)}


def test_a_network_learns_both_tasks_from_half_the_labels_each():
    net = small(width=8, output_stride=8)
    optimizer = torch.optim.Adam(net.parameter_groups(3e-3))
    truth = torch.zeros(4, 1, 32, 32, dtype=torch.long)
    truth[:2, :, 8:24, 8:24] = torch.tensor([1, 2]).view(2, 1, 1, 1)
    image = torch.randn(4, 3, 32, 32) + 3 * truth
    target = {"seg": truth, "cls": torch.tensor([0, 1, 0, 0])}
    target |= {"has_seg": torch.tensor([1, 1, 1, 0]).bool(), "has_cls": torch.tensor([0, 1, 1, 1]).bool()}
    losses = []
    for _ in range(30):
        loss = joint_loss(1.0)(net(image), target)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


def test_the_encoder_learns_at_its_own_rate():
    net = small(encoder_lr_mult=0.1)
    heads, encoder = net.parameter_groups(1e-3)
    assert (heads["lr"], encoder["lr"]) == (1e-3, pytest.approx(1e-4))
    named = {id(p): name for name, p in net.named_parameters()}
    assert all(named[id(p)].startswith("encoder.") for p in encoder["params"])
    assert sorted(map(id, [*heads["params"], *encoder["params"]])) == sorted(named)


def test_the_encoder_starts_from_a_local_file_and_one_channel_reads_grey_as_three_do(tmp_path):
    full = small().eval()
    state = full.encoder.state_dict()
    torch.save({**state, "fc.weight": torch.ones(1000, 32), "fc.bias": torch.ones(1000)}, tmp_path / "r18.pth")
    grey = small(in_channels=1, output_stride=16).eval()
    grey.load_encoder(tmp_path / "r18.pth")
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        found, expected = grey.features(image)[..., ::2, ::2], full.features(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match=r"r18\.pth does not fit the encoder"):
        small(encoder_depth=34).load_encoder(tmp_path / "r18.pth")
    with pytest.raises(MissingError, match="no weights at"):
        full.load_encoder(tmp_path / "none.pth")


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_channels": 0}, {"seg_classes": 1}, {"cls_classes": 0}, {"encoder_depth": 10}, {"width": 0},
        {"output_stride": 4}, {"upsample": "nearest"}, {"pool": "max"}, {"pool_sharpness": 0.0},
        {"encoder_lr_mult": -1.0},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="FCNSNetCNet expects"):
        FCNSNetCNet(**wrong)


@pytest.mark.parametrize(("output_stride", "shape"), [(32, (1, 3, 48, 64)), (16, (1, 3, 64, 72)), (8, (1, 3, 60, 64))])
def test_a_size_that_would_not_come_back_is_refused(output_stride, shape):
    with pytest.raises(ValueError, match=f"multiples of {output_stride}"):
        small(output_stride=output_stride)(torch.zeros(shape))
