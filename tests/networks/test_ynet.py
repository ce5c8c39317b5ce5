"""YNet against the authors' outputs, the published counts and its own contract."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from monai_mtl.networks import YNet
from monai_mtl.networks.ynet import convert_authors_state_dict

from ..conftest import DATA
from .test_hds_uresnet import golden_state, relative_error

TINY = {"width": 8, "depth": 1}
C1, D1 = "ynet_C1_state_keys.json", "ynet_D1_state_keys.json"


def moved(net: YNet) -> YNet:
    """In eval mode, with running statistics that are not those of a new network."""
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(2, 3, 64, 64))
    return net.eval()


def stage1(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("segNet."): value for name, value in state.items() if name.startswith("segNet.")}


@torch.inference_mode()
def test_matches_the_authors_outputs():
    golden = np.load(DATA / "ynet_C1_eval.npz")
    net = YNet(cls_classes=5, align_corners=False).eval()
    net.load_state_dict(convert_authors_state_dict(golden_state(C1)))
    image = torch.from_numpy(np.random.RandomState(7).standard_normal((1, 3, 384, 384)).astype(np.float32))
    out = net(image)
    assert relative_error(out["seg"][:, :, ::8, ::8], golden["seg_strided"]) < 1e-4
    assert relative_error(out["cls"], golden["diag"]) < 1e-4


@pytest.mark.parametrize(("keys", "encoder"), [(C1, "esp"), (D1, "residual")])
def test_authors_names_of_both_trainings_load(keys, encoder):
    state = golden_state(keys)
    joint, alone = YNet(cls_classes=5, encoder=encoder), YNet(cls_classes=None, encoder=encoder)
    joint.load_state_dict(convert_authors_state_dict({f"module.{name}": value for name, value in state.items()}))
    alone.load_state_dict(convert_authors_state_dict(stage1(state)))
    torch.testing.assert_close(alone.encoder.stem[0].weight, state["segNet.level1.conv.weight"])


@torch.inference_mode()
def test_the_residual_network_of_the_first_training_joins_its_last_maps_in_the_other_order():
    state = stage1(golden_state(D1))
    net = YNet(cls_classes=None, encoder="residual").eval()
    net.load_state_dict(convert_authors_state_dict(state))
    seen = []
    net.decoder.fine_pool.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    net.decoder.fine.register_forward_hook(lambda _, __, output: seen.append(output))
    net(torch.rand(1, 3, 64, 64))
    stem, decoded = seen[0].split([16, 8], dim=1)
    # Theirs, with weights as they are: decoded map first.
    for i, branch in enumerate(net.decoder.fine_pool.branches):
        branch[0].weight.copy_(state[f"p0{i + 1}.features.1.weight"])
    net.decoder.fine[0].weight.copy_(state["class_0.0.weight"])
    torch.testing.assert_close(net.decoder.fine(net.decoder.fine_pool(torch.cat([decoded, stem], dim=1))), seen[1])


@torch.inference_mode()
def test_weights_that_learned_blue_first_can_take_red_first():
    state, image = golden_state(C1), torch.rand(1, 3, 64, 64)
    blue, red = YNet(cls_classes=5).eval(), YNet(cls_classes=5).eval()
    blue.load_state_dict(convert_authors_state_dict(state))
    red.load_state_dict(convert_authors_state_dict(state, rgb=True))
    torch.testing.assert_close(red(image)["cls"], blue(image.flip(1))["cls"], rtol=1e-4, atol=1e-4)


def test_key_map_refuses_a_foreign_name():
    with pytest.raises(ValueError, match=r"'conv9\.weight' is not a name"):
        convert_authors_state_dict({"conv9.weight": torch.ones(1)})


COUNTS = [
    ({"cls_classes": 5}, 3_687_589, 8.24),
    ({"cls_classes": None}, 2_755_488, 7.79),
    ({"cls_classes": 5, "encoder": "residual"}, 9_110_437, 22.78),
    ({"cls_classes": None, "encoder": "residual"}, 7_624_608, 22.05),
    ({}, 3_687_589 - 65, 8.24),
]


@pytest.mark.parametrize(("options", "parameters", "expected"), COUNTS)
def test_parameters_and_multiplications_equal_the_published_counts(options, parameters, expected):
    with torch.device("meta"):
        net, image = YNet(**options).eval(), torch.empty(1, 3, 384, 384)
    assert sum(p.numel() for p in net.parameters()) == parameters
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(expected, abs=0.01)


def test_the_docstring_states_the_tested_counts():
    for _, parameters, gmac in COUNTS[:4]:
        assert f"{parameters:,}" in YNet.__doc__
        assert f"{gmac}" in YNet.__doc__


@pytest.mark.parametrize("shape", [(2, 3, 64, 96), (1, 3, 100, 37), (2, 3, 8, 8), (1, 3, 1, 5), (1, 1, 72, 64)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encoder": "residual", "depth": 2, "align_corners": False},
        {"seg_classes": 2, "cls_classes": 6, "decoder_width": 3, "head_activation": True, "width": 16},
    ],
)
def test_shapes_with_every_option_at_any_size(options, shape):
    options = {**TINY, "in_channels": shape[1], **options}
    out = YNet(**options).eval()(torch.rand(shape))
    assert {name: tuple(v.shape) for name, v in out.items()} == {
        "seg": (shape[0], options.get("seg_classes", 8), *shape[2:]), "cls": (shape[0], options.get("cls_classes", 4))
    }  # fmt: skip
    assert all(bool(torch.isfinite(value).all()) for value in out.values())


def test_pyramids_pool_to_the_authors_sizes_at_384():
    net, sizes = YNet(**TINY).eval(), []
    for name in ("coarse_pool", "middle_pool", "fine_pool"):
        for branch in getattr(net.decoder, name).branches:
            branch.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[2:])))
    net(torch.rand(1, 3, 384, 384))
    assert sizes == [(s, s) for s in (40, 32, 24, 18, 80, 64, 48, 36, 160, 128, 96, 72)]


@pytest.mark.parametrize("encoder", ["esp", "residual"])
def test_each_task_reaches_its_branch_and_the_encoder_and_no_layer_is_dead(encoder):
    net = YNet(encoder=encoder, **TINY)
    for task, other in (("seg", "diagnosis."), ("cls", "decoder.")):
        net.zero_grad()
        net(torch.rand(2, 3, 64, 64))[task].square().sum().backward()
        unreached = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
        assert unreached == {name for name, _ in net.named_parameters() if name.startswith(other)}, task


def test_without_a_diagnosis_there_is_neither_branch_nor_output():
    net = YNet(cls_classes=None, **TINY).eval()
    assert set(net(torch.rand(1, 3, 32, 32))) == {"seg"}
    assert not [name for name in net.state_dict() if name.startswith("diagnosis")]


def test_the_second_training_starts_from_the_first():
    first, second = moved(YNet(cls_classes=None, **TINY)), YNet(**TINY).eval()
    image, kept = torch.rand(1, 3, 64, 64), second.diagnosis.head.weight.clone()
    second.load_stage1(first.state_dict())
    assert torch.equal(second(image)["seg"], first(image)["seg"])
    assert torch.equal(second.diagnosis.head.weight, kept)
    joint = YNet(**TINY).eval()
    joint.load_stage1(second.state_dict())
    assert torch.equal(joint(image)["seg"], first(image)["seg"])


@pytest.mark.parametrize("other", [{"seg_classes": 2}, {"encoder": "residual"}, {"depth": 2}])
def test_weights_of_another_network_are_no_first_stage(other):
    with pytest.raises(ValueError, match="belong to another YNet"):
        YNet(**TINY).load_stage1(YNet(**{**TINY, **other}).state_dict())


def test_normalisation_is_as_stated():
    for momentum in (0.05, 0.95):
        norms = [m for m in YNet(norm_momentum=momentum, **TINY).modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(m.eps, m.momentum) for m in norms} == {(1e-3, momentum)}


@pytest.mark.parametrize("options", [{}, {"encoder": "residual"}, {"cls_classes": None}])
def test_a_scripted_network_equals_the_eager_one(options):
    net = moved(YNet(**TINY, **options))
    scripted = torch.jit.script(net)
    for size in ((384, 384), (128, 192), (75, 50)):
        image = torch.rand(2, 3, *size)
        result, eager = scripted(image), net(image)
        assert set(result) == set(eager)
        for name, value in eager.items():
            torch.testing.assert_close(result[name], value, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("dynamo", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_onnx_file_equals_the_eager_network_at_every_size(tmp_path, dynamo):
    net = moved(YNet(**TINY))
    free = {"dynamic_axes": {"image": {0: "batch", 2: "height", 3: "width"}}, "opset_version": 18}
    if dynamo:
        free = {"dynamic_shapes": {"image": dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}}
    names = {"input_names": ["image"], "output_names": ["seg", "cls"]}
    torch.onnx.export(net, (torch.rand(2, 3, 384, 384),), tmp_path / "net.onnx", dynamo=dynamo, **names, **free)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for size in ((384, 384), (128, 192), (75, 50)):
        image = torch.rand(2, 3, *size)
        with torch.inference_mode():
            eager = net(image)
        for name, value in zip(("seg", "cls"), session.run(None, {"image": image.numpy()}), strict=True):
            assert float(np.abs(value - eager[name].numpy()).max()) < 1e-4, (name, size)


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_channels": 0}, {"seg_classes": 1}, {"cls_classes": 1}, {"encoder": "resnet"}, {"width": 12},
        {"width": 0}, {"depth": 0}, {"decoder_width": 0}, {"norm_momentum": 0.0}, {"norm_momentum": 1.5},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="YNet expects"):
        YNet(**wrong)
