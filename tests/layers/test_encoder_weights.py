"""Weights of an encoder from local files in both formats, and files that are not what they should be."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from monai_mtl.errors import DataError, MissingError
from monai_mtl.layers import load_resnet_weights, read_weights


def resnet(in_channels: int = 3, blocks: int = 1, classes: int = 0) -> nn.Module:
    return ResNet(
        *("basic", [blocks] * 4, [4, 8, 16, 32]),
        spatial_dims=2,
        n_input_channels=in_channels,
        conv1_t_stride=2,
        num_classes=classes,
        feed_forward=bool(classes),
        bias_downsample=False,
    )


def write_safetensors(path: Path, state: dict[str, Tensor], names: dict[torch.dtype, str]) -> Path:
    """By the format's description: length of the header, header, numbers."""
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, value in state.items():
        raw = value.contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else value.numpy().tobytes()
        offsets = [len(body), len(body) + len(raw)]
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape), "data_offsets": offsets}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def test_safetensors_are_read_number_by_number(tmp_path):
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.uint8: "U8"}
    state = {str(kind): (10 * torch.rand(3, 5)).to(kind) for kind in names}
    state |= {"scalar": torch.tensor(3), "empty": torch.zeros(0, 4)}
    read = read_weights(write_safetensors(tmp_path / "w.safetensors", state, names))
    assert set(read) == set(state)
    for name, value in state.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
    read["scalar"] += 1


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_files_of_torch_save_are_read(tmp_path, wrapper):
    state = {"a.weight": torch.rand(3)}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "w.pth")
    assert torch.equal(read_weights(tmp_path / "w.pth")["a.weight"], state["a.weight"])


def test_a_classifier_gives_its_encoder(tmp_path):
    full, encoder = resnet(classes=1000), resnet()
    state = {f"module.{name}": value for name, value in full.state_dict().items()}
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    load_resnet_weights(encoder, state)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, full.state_dict()[name])


def test_an_encoder_for_one_channel_computes_what_the_full_one_does_on_grey():
    full, grey = resnet().eval(), resnet(1).eval()
    load_resnet_weights(grey, full.state_dict())
    image = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(grey(image), full(image.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(DataError, match=r"r\.pth does not fit") as error:
        load_resnet_weights(resnet(), resnet(blocks=2).state_dict(), "r.pth")
    assert "unknown layer1.1.conv1.weight" in error.value.where
    state = resnet().state_dict()
    state["bn1.weight"] = torch.ones(64)
    state.pop("layer1.0.conv1.weight")
    with pytest.raises(DataError) as error:
        load_resnet_weights(resnet(), state)
    assert error.value.where == ["missing layer1.0.conv1.weight", "bn1.weight: (64,), encoder (4,)"]


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(MissingError, match=r"no weights at .*none\.pth"):
        read_weights(tmp_path / "none.pth")


HEADER = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"", b""),
        (HEADER, b"1234"),
        ({"a": {**HEADER["a"], "shape": [3]}}, bytes(8)),
        ({"a": {**HEADER["a"], "data_offsets": [-8, 0]}}, bytes(8)),
        ({"a": {**HEADER["a"], "dtype": "F7"}}, bytes(8)),
        ({"a": {"dtype": "F32"}}, bytes(8)),
        (b"{not JSON", b""),
        ([1], b""),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path, header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes((struct.pack("<Q", len(text)) if text else b"12") + text + body)
    with pytest.raises(DataError, match=r"w\.safetensors holds no weights"):
        read_weights(tmp_path / "w.safetensors")


class _Harmful:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [_Harmful(), [torch.ones(1)], {"epoch": 3}, b"no archive"])
def test_files_that_run_code_or_hold_no_weights_are_refused(tmp_path, content, capsys):
    if isinstance(content, bytes):
        (tmp_path / "w.pth").write_bytes(content)
    else:
        torch.save(content, tmp_path / "w.pth")
    with pytest.raises(DataError, match="holds no weights"):
        read_weights(tmp_path / "w.pth")
    assert "run" not in capsys.readouterr().out
