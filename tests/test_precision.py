"""One setting decides in what type a network runs; what comes out stays float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_mtl import precision as module
from monai_mtl.engines import Precision, bf16_units
from monai_mtl.errors import ConfigError
from monai_mtl.inferers import MultiTaskInferer


class Recorder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1)

    def forward(self, image):
        value = self.conv(image)
        self.inside = value.dtype
        return {"seg": value, "place": torch.zeros(1, dtype=torch.int64)}


@pytest.mark.parametrize(("name", "inside"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_network_runs_in_the_type_and_answers_in_float32(name, inside):
    precision = Precision(name, "cpu")
    net = precision.place(Recorder())
    image = torch.rand(1, 4, 16, 16)
    out = MultiTaskInferer(precision=precision)(image, net)
    assert net.inside == inside
    assert out["seg"].dtype == torch.float32
    assert out["place"].dtype == torch.int64
    expected = MultiTaskInferer()(image, net)["seg"]
    torch.testing.assert_close(out["seg"], expected, atol=2e-2 if name == "bf16" else 0, rtol=0)
    assert not precision.scaler


@pytest.mark.parametrize("units", [True, False])
def test_auto_on_a_cpu_is_bf16_where_there_are_units_for_it(monkeypatch, units):
    monkeypatch.setattr(module, "bf16_units", lambda: units)
    assert Precision("auto", "cpu").name == ("bf16" if units else "fp32")


def test_units_are_those_that_the_processor_lists():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = file.read().split("flags", 1)[1].split("\n", 1)[0].split()
    assert bf16_units() == ("amx_tile" in flags or "avx512_bf16" in flags)


def test_placing_keeps_names_and_values_of_the_weights():
    net = Recorder()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    placed = Precision("fp32", "cpu").place(net)
    assert placed.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert {name: value.tolist() for name, value in placed.state_dict().items()} == {
        name: value.tolist() for name, value in before.items()
    }


def test_compiling_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: asked.append(type(self).__name__))
    Precision("fp32", "cpu").place(Recorder())
    assert asked == []
    Precision("fp32", "cpu", compile=True).place(Recorder())
    assert asked == ["Recorder"]


def test_what_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="unknown precision 'half'"):
        Precision("half")
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        Precision("fp16", "cpu")


@pytest.mark.gpu
def test_fp16_on_a_gpu_scales_gradients():
    precision = Precision("fp16", "cuda")
    net = precision.place(Recorder())
    MultiTaskInferer(precision=precision)(torch.rand(1, 4, 16, 16, device="cuda"), net)
    assert net.inside == torch.float16
    assert precision.scaler


class Scaled(nn.Conv2d):
    """A convolution that uses its weights in another way."""

    def forward(self, image):
        return super().forward(image) * self.weight.abs().max()


def test_rounded_weights_give_the_bits_that_autocasting_gives():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 4, 2),
        Scaled(4, 4, 3),
        nn.Flatten(),
        nn.Linear(64, 3),
    ).eval()
    precision, image = Precision("bf16", "cpu"), torch.randn(2, 1, 7, 7)
    with torch.inference_mode(), precision.autocast():
        expected = net(image)
    assert precision.round_weights(net) is net
    with torch.inference_mode(), precision.autocast():
        assert torch.equal(net(image), expected)
    types = [None if not list(layer.parameters()) else layer.weight.dtype for layer in net]
    assert types == [torch.bfloat16, torch.float32, torch.bfloat16, torch.float32, None, torch.bfloat16]


def test_weights_of_a_network_in_float32_stay():
    net = nn.Conv2d(1, 1, 3)
    assert Precision("fp32", "cpu").round_weights(net).weight.dtype == torch.float32
