"""ACSNet against the authors' outputs, the published counts and its own contract."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from monai_mtl.errors import DataError, MissingError
from monai_mtl.layers import DeformConv2d
from monai_mtl.networks import ACSNet
from monai_mtl.networks.acsnet import convert_authors_state_dict

from ..conftest import DATA
from .test_hds_uresnet import golden_state, relative_error

KEYS = "acsnet_state_keys.json"


def authors_state() -> dict[str, torch.Tensor]:
    state = golden_state(KEYS)
    return {name: value * 0.2 if name.endswith("p_conv.weight") else value for name, value in state.items()}


def moving(net: ACSNet) -> ACSNet:
    """In eval mode, with offsets that depend on the image."""
    for module in net.modules():
        if isinstance(module, DeformConv2d):
            nn.init.normal_(module.offset_conv.weight, std=0.05)
    return net.eval()


@torch.inference_mode()
def test_matches_the_authors_outputs():
    golden = np.load(DATA / "acsnet_eval.npz")
    net = ACSNet().eval()
    net.load_state_dict(convert_authors_state_dict(authors_state(), 0.0, 1.0))
    out = net(torch.from_numpy(np.random.RandomState(7).standard_normal((1, 3, 256, 256)).astype(np.float32)))
    assert relative_error(out["cls"], golden["cls"]) < 1e-4
    assert relative_error(out["seg"][:, :, ::4, ::4], golden["seg_strided"]) < 1e-4


def test_authors_names_load_with_the_second_copy_of_their_encoder_and_their_standardisation():
    state = {f"module.{name}": value for name, value in authors_state().items()}
    state |= {"module.resnet.conv1.weight": torch.ones(1), "module.resnet.fc.bias": torch.ones(1)}
    state |= {"module.resnet.layer2.0.downsample.1.running_var": torch.ones(1)}
    net = ACSNet()
    net.load_state_dict(convert_authors_state_dict(state))
    assert (float(net.image_mean), float(net.image_std)) == pytest.approx((84.15, 52.02))
    with pytest.raises(ValueError, match=r"'conv9\.weight' is not a name"):
        convert_authors_state_dict({"conv9.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="needs both p_conv and m_conv"):
        convert_authors_state_dict({"sa1.dcn1.0.p_conv.bias": torch.ones(18)})


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 31_824_945),
        ({"deformable": False}, 31_264_965),
        ({"encoder_depth": 34}, 41_933_105),
        ({"gate": False}, 31_824_945 - 2_657_090 - 664_994 - 166_610 - 2 * 41_834),
        ({"attention": False}, 31_824_945 - 7_453_258 - 1_957_194),
    ],
)
def test_parameters_equal_the_published_count(options, parameters):
    with torch.device("meta"):
        net = ACSNet(**options)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_parameters_of_each_part():
    with torch.device("meta"):
        net = ACSNet()
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert size == {
        "encoder": 11_176_512,
        "gates": 3_572_362,
        "narrow": 131_328 + 65_664 + 16_448 + 8_256,
        "decoder": 4_721_664 + 1_181_184 + 295_680 + 164_352,
        "attention": 9_410_452,
        "seg_head": 147_969,
        "classifier": 933_074,
    }


def test_multiplications_equal_the_published_count():
    with torch.device("meta"):
        net, image = ACSNet().eval(), torch.empty(1, 3, 256, 256)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(23.70, abs=0.005)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 3, 64, 96)),
        ({"in_channels": 1, "seg_classes": 3, "cls_classes": 4, "width": 32}, (1, 1, 32, 64)),
        ({"deformable": False, "encoder_depth": 10}, (2, 3, 64, 64)),
        ({"gate": False, "encoder_depth": 34}, (1, 3, 32, 32)),
        ({"attention": False}, (1, 3, 64, 32)),
    ],
)
def test_shapes_with_every_option_in_both_modes_and_scripted(options, shape):
    net = moving(ACSNet(**{"width": 16, **options}))
    image = torch.randn(shape)
    with torch.inference_mode():
        out = net(image)
        scripted = torch.jit.script(net)(image)
        trained = net.train()(torch.cat([image, image]))
    assert out["seg"].shape == (shape[0], options.get("seg_classes", 1), *shape[2:])
    assert out["cls"].shape == (shape[0], options.get("cls_classes", 2))
    assert set(out) == set(trained) == {"seg", "cls"}
    for name, value in out.items():
        torch.testing.assert_close(scripted[name], value)


def test_scripted_it_takes_other_sizes():
    net = moving(ACSNet(width=16))
    scripted = torch.jit.script(net)
    with torch.inference_mode():
        for shape in ((1, 3, 32, 32), (2, 3, 96, 64), (1, 3, 160, 128)):
            image = torch.randn(shape)
            for name, value in net(image).items():
                torch.testing.assert_close(scripted(image)[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_onnx_equals_it_at_three_sizes(tmp_path):
    net, path = moving(ACSNet(width=16)), str(tmp_path / "net.onnx")
    axes = {"image": dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    names = {"input_names": ["image"], "output_names": ["seg", "cls"]}
    torch.onnx.export(net, (torch.randn(2, 3, 64, 96),), path, **names, dynamic_shapes=axes, verbose=False)
    assert [node.op_type for node in onnx.load(path).graph.node].count("DeformConv") == 4
    session = onnxruntime.InferenceSession(path)
    for shape in ((1, 3, 32, 32), (2, 3, 96, 64), (1, 3, 256, 256)):
        image = torch.randn(shape)
        with torch.inference_mode():
            expected = net(image)
        for name, value in zip(("seg", "cls"), session.run(None, {"image": image.numpy()}), strict=True):
            assert relative_error(expected[name], value) < 1e-4


def test_each_task_reaches_what_it_must_and_nothing_it_must_not():
    net = moving(ACSNet(width=16)).train()
    image = torch.randn(2, 3, 64, 64)
    reached = {}
    for task in ("seg", "cls"):
        net.zero_grad()
        net(image)[task].square().sum().backward()
        reached[task] = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    names = {name for name, _ in net.named_parameters()}
    # What the class does not see: all that comes after the coarsest decoder stage.
    late = ("gates.0", "gates.1", "gates.2", "narrow.1", "narrow.2", "narrow.3", "decoder.1", "decoder.2", "decoder.3")
    late = (*late, "attention.1", "seg_head")
    assert not any(name.startswith("classifier.") for name in reached["seg"])
    assert not any(name.startswith(late) for name in reached["cls"])
    # A rectified unit of so small a network may sleep; whole parts may not.
    parts = {name.rsplit(".", 2)[0] for name in names}
    assert {name.rsplit(".", 2)[0] for name in reached["seg"] | reached["cls"]} == parts


def test_a_network_learns_both_tasks():
    net = ACSNet(width=16)
    optimizer = torch.optim.Adam(net.parameter_groups(1e-3))
    image, truth = torch.randn(4, 3, 32, 32), torch.zeros(4, 1, 32, 32)
    truth[:2, :, 8:24, 8:24] = 1
    image += 2 * truth
    losses = []
    for _ in range(15):
        out = net(image)
        loss = nn.functional.binary_cross_entropy_with_logits(out["seg"], truth)
        loss = loss + nn.functional.cross_entropy(out["cls"], torch.tensor([1, 1, 0, 0]))
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_image_statistics_standardise_the_image():
    net = moving(ACSNet(width=16))
    image = 255 * torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        expected = net((image - 84.0) / 52.0)["seg"]
    net.image_mean.fill_(84.0)
    net.image_std.fill_(52.0)
    with torch.inference_mode():
        torch.testing.assert_close(net(image)["seg"], expected, rtol=1e-4, atol=1e-5)


def test_what_moves_the_kernels_learns_at_its_own_rate():
    net = ACSNet(width=16, offset_lr_mult=0.1)
    rest, moves = net.parameter_groups(1e-4)
    assert (rest["lr"], moves["lr"]) == (1e-4, pytest.approx(1e-5))
    named = {id(p): name for name, p in net.named_parameters()}
    assert all(".offset_conv." in named[id(p)] for p in moves["params"])
    assert sorted(map(id, [*rest["params"], *moves["params"]])) == sorted(named)
    assert len(moves["params"]) == 8
    assert len(ACSNet(width=16, deformable=False).parameter_groups(1e-4)) == 1


def test_the_encoder_starts_from_a_local_file_without_the_packages_that_name_it(tmp_path, monkeypatch):
    for package in ("torchvision", "timm", "safetensors"):
        monkeypatch.setitem(sys.modules, package, None)
    names = ACSNet(width=16).encoder.state_dict()
    torch.save({**names, "fc.weight": torch.ones(1000, 128), "fc.bias": torch.ones(1000)}, tmp_path / "r18.pth")
    net = ACSNet(width=16)
    net.load_encoder(tmp_path / "r18.pth")
    for name, value in net.encoder.state_dict().items():
        assert torch.equal(value, names[name])
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer4.0.downsample.0.weight"} <= set(names)
    with pytest.raises(DataError, match=r"r18\.pth does not fit the encoder"):
        ACSNet(width=16, encoder_depth=34).load_encoder(tmp_path / "r18.pth")
    with pytest.raises(MissingError, match="no weights at"):
        net.load_encoder(tmp_path / "none.pth")


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_channels": 0}, {"seg_classes": 0}, {"cls_classes": 1}, {"encoder_depth": 50}, {"width": 24}, {"width": 0},
        {"offset_lr_mult": -1.0},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="ACSNet expects"):
        ACSNet(**wrong)


def test_a_size_that_the_network_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="multiples of 32"):
        ACSNet(width=16)(torch.zeros(1, 3, 64, 72))
