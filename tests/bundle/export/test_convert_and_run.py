"""One file gives the network's answers at every size, and what is no copy of the network is refused."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import onnx
import pytest
import torch
from torch import nn

from monai_mtl.bundle.export import ExportedNetwork, export_onnx, export_openvino
from monai_mtl.bundle.export import runners as module
from monai_mtl.errors import ConfigError, MissingError, RunError
from monai_mtl.layers import DeformConv2d

from .small import Brightness, hds

SHAPES = ((1, 1, 256, 128), (3, 1, 128, 384), (1, 1, 256, 128))


@pytest.fixture(scope="module")
def network():
    return hds()


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    export_onnx(network, folder / "net.onnx", torch.rand(1, 1, 256, 128))
    export_openvino(folder / "net.onnx", folder / "net.xml")
    return folder


@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
def test_it_answers_as_the_network_at_every_size(folder, network, name):
    exported = ExportedNetwork(folder / name)
    for shape in SHAPES:
        image = torch.rand(shape)
        with torch.inference_mode():
            expected = network(image)
        found = exported(image)
        assert list(found) == list(expected) == ["seg", "cls_map", "cls"]
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["net.onnx", "net.xml"])
def test_an_answer_stays_when_the_next_one_is_computed(folder, name):
    exported = ExportedNetwork(folder / name)
    first = exported(torch.zeros(1, 1, 128, 128))["seg"]
    kept = first.clone()
    exported(torch.rand(1, 1, 128, 128))
    assert torch.equal(first, kept)


def test_openvino_keeps_networks_for_two_sizes(folder):
    exported = ExportedNetwork(folder / "net.xml")
    for side in (128, 256, 384, 256):
        exported(torch.rand(1, 1, 128, side))
    assert list(exported._compiled) == [(1, 1, 128, 384), (1, 1, 128, 256)]


def test_the_onnx_file_is_alone_with_its_weights_and_valid(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["net.bin", "net.onnx", "net.xml"]
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    onnx.checker.check_model(model)
    assert not [one.name for one in model.graph.initializer if one.external_data]
    dims = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", 1, "height", "width"]


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 2, 3, padding=1))

    def forward(self, image):
        return {"seg": self.body(image)}


def test_int8_is_learnt_from_images_and_close(tmp_path):
    network, images = Convolutions(), [torch.rand(1, 1, 32, 16) for _ in range(8)]
    onnx_file = export_onnx(network, tmp_path / "net.onnx", images[0])
    export_openvino(onnx_file, tmp_path / "int8.xml", "int8", images)
    with torch.inference_mode():
        expected = network(images[0])["seg"]
    found = ExportedNetwork(tmp_path / "int8.xml", "int8")(images[0])["seg"]
    difference = float((found - expected).abs().max() / expected.abs().max())
    assert 1e-4 < difference < 0.1  # above: it is not float32 that runs
    with pytest.raises(RunError, match="int8 needs images"):
        export_openvino(onnx_file, tmp_path / "int8.xml", "int8")


class Halves(nn.Module):
    """Reads the height when it is traced, so that another height is cut wrongly."""

    def forward(self, image):
        return {"seg": image[:, :, : int(image.shape[2]) // 2]}


class BranchOnSize(nn.Module):
    def forward(self, image):
        return {"seg": image * (1.0 if image.shape[3] < 16 else 2.0)}


class Moved(nn.Module):
    """Deformable convolutions with everything that the operator takes."""

    def __init__(self) -> None:
        super().__init__()
        options = {"stride": 2, "padding": (2, 1), "dilation": (2, 1), "groups": 2, "deformable_groups": 2}
        first = DeformConv2d(1, 4, 3, padding=1)
        self.body = nn.Sequential(first, DeformConv2d(4, 2, (3, 2), **options, modulated=False, bias=False))
        for conv in self.body:
            nn.init.normal_(conv.offset_conv.weight, std=0.5)  # some points leave the image

    def forward(self, image):
        return {"seg": self.body(image)}


def test_deformable_convolutions_answer_as_in_torch_at_every_size(tmp_path):
    network = Moved().eval()
    export_onnx(network, tmp_path / "net.onnx", torch.rand(1, 1, 16, 24))
    export_openvino(tmp_path / "net.onnx", tmp_path / "net.xml")
    for name in ("net.onnx", "net.xml"):
        exported = ExportedNetwork(tmp_path / name)
        for shape in ((1, 1, 16, 24), (3, 1, 9, 33), (2, 1, 40, 13)):
            image = torch.rand(shape)
            with torch.inference_mode():
                expected = network(image)["seg"]
            torch.testing.assert_close(exported(image)["seg"], expected, rtol=1e-4, atol=1e-5)


def test_an_export_that_holds_for_one_size_only_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"images \(2, 1, 16, 8\), seg has shape \(2, 1, 4, 8\)"):
        export_onnx(Halves(), tmp_path / "net.onnx", torch.rand(1, 1, 8, 16))
    with pytest.raises(RunError, match=r"images \(2, 1, 16, 8\), seg differs by 1\.0e\+00"):
        export_onnx(BranchOnSize(), tmp_path / "net.onnx", torch.rand(1, 1, 8, 16))
    assert not list(tmp_path.iterdir())


def test_a_square_example_is_doubled(tmp_path):
    with pytest.raises(RunError, match=r"images \(2, 1, 16, 8\)"):
        export_onnx(Halves(), tmp_path / "net.onnx", torch.rand(1, 1, 8, 8))
    export_onnx(Brightness(), tmp_path / "net.onnx", torch.rand(1, 1, 8, 8))


def test_what_cannot_run_is_refused(folder, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"net\.pt is no exported network"):
        ExportedNetwork(tmp_path / "net.pt")
    with pytest.raises(MissingError, match="no exported network"):
        ExportedNetwork(tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match="onnx has no precision 'int8'"):
        ExportedNetwork(folder / "net.onnx", "int8")
    monkeypatch.setattr(module, "bf16_units", lambda: False)
    with pytest.raises(ConfigError, match="no units for bf16"):
        ExportedNetwork(folder / "net.xml", "bf16")
    with pytest.raises(ConfigError, match="unknown backend 'abacus'"):
        module.require_precision("abacus", "fp32")


def test_bf16_is_asked_of_openvino(folder, monkeypatch):
    monkeypatch.setattr(module, "bf16_units", lambda: True)
    exported = ExportedNetwork(folder / "net.xml", "bf16")
    asked = []
    make = exported._core.compile_model
    monkeypatch.setattr(exported._core, "compile_model", lambda *words: asked.append(words[2]) or make(*words))
    exported(torch.rand(1, 1, 128, 128))
    assert asked[0]["INFERENCE_PRECISION_HINT"] == "bf16"


@pytest.mark.parametrize(("name", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_a_missing_extra_is_named(folder, monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"{name} is not installed") as raised:
        ExportedNetwork(folder / ("net.onnx" if extra == "onnx" else "net.xml"))
    assert f"fix: pip install 'monai-mtl[{extra}]'" in str(raised.value)


def test_running_openvino_and_nncf_sends_nothing():
    """Both load what sends usage statistics where it can be imported."""
    code = "import sys; from monai_mtl.bundle.export.extras import need; need('nncf'); need('openvino')"
    code += "; assert not [m for m in sys.modules if m.startswith('openvino_telemetry.')], 'loaded'"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert version("openvino_telemetry")  # else the above would hold for nothing
