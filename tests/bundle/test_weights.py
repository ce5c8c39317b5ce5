"""Weights that ship with a bundle: small, without code, with what they depend on."""

from __future__ import annotations

import json

import pytest
import torch
from ignite.engine import Engine
from safetensors import safe_open
from torch import nn

from monai_mtl.bundle.weights import read_weights, ship_weights
from monai_mtl.data.hashes import file_sha256
from monai_mtl.errors import ConfigError, MissingError
from monai_mtl.handlers import WeightsLoader
from monai_mtl.handlers.checkpoint import write_checkpoint


def network(value: float = 0.1) -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    nn.init.constant_(net[0].weight, value)
    nn.init.constant_(net[1].weight, 0.3)
    return net


@pytest.fixture
def source(tmp_path):
    write_checkpoint(tmp_path / "model.pt", {"model": network()}, {"image_size": [256, 128]})
    return tmp_path / "model.pt"


def test_shipped_weights_are_half_as_precise_and_load_into_the_network(source, tmp_path):
    target = tmp_path / "model.safetensors"
    ship_weights(source, target, {"cases": {"training": 3}})
    state, settings = read_weights(target)
    assert settings == {"image_size": [256, 128]}
    assert state["0.weight"].dtype == torch.float16
    assert state["1.num_batches_tracked"].dtype == torch.int64
    net, engine = network(0.0), Engine(lambda *_: None)
    WeightsLoader(target, net, settings={"image_size": [256, 128]}).attach(engine)
    engine.run([0])
    assert net[0].weight.dtype == torch.float32
    assert net[0].weight.unique().item() == torch.tensor(0.1).bfloat16().item()  # which float16 holds
    assert net[1].weight.unique().item() == torch.tensor(0.3).half().item()
    other = WeightsLoader(target, net, settings={"image_size": [1024, 512]})
    with pytest.raises(ConfigError, match=r"trained with image_size \[256, 128\]"):
        other._load(engine)


def test_the_file_says_where_it_comes_from_and_repeats(source, tmp_path):
    for name in ("one", "two"):
        ship_weights(source, tmp_path / f"{name}.safetensors", {"cases": {"training": 3}})
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    with safe_open(tmp_path / "one.safetensors", framework="pt") as opened:
        facts = json.loads(opened.metadata()["facts"])
    settings = {"image_size": [256, 128]}
    assert facts == {"settings": settings, "cases": {"training": 3}, "source_sha256": file_sha256(source)}


def test_a_vector_that_float16_cannot_hold_stays_as_precise_as_it_was(tmp_path):
    net = network()
    net[1].running_var.copy_(torch.tensor([722298.6875, 3.0]))
    write_checkpoint(tmp_path / "model.pt", {"model": net})
    ship_weights(tmp_path / "model.pt", tmp_path / "model.safetensors", {})
    state, _ = read_weights(tmp_path / "model.safetensors")
    assert state["1.running_var"].tolist() == [722298.6875, 3.0]
    assert state["1.running_mean"].dtype == torch.float16


def test_what_does_not_fit_or_cannot_be_read_is_refused(tmp_path):
    write_checkpoint(tmp_path / "large.pt", {"model": network(1e6)})
    with pytest.raises(ConfigError, match="does not fit float16") as raised:
        ship_weights(tmp_path / "large.pt", tmp_path / "model.safetensors", {})
    assert raised.value.where == ["0.weight"]
    assert not (tmp_path / "model.safetensors").exists()
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(ConfigError, match="holds no weights"):
        read_weights(tmp_path / "broken.safetensors")
    with pytest.raises(MissingError, match="no weights at"):
        read_weights(tmp_path / "none.safetensors")


def test_a_stale_safetensors_is_not_loaded(source, tmp_path):
    target = tmp_path / "model.safetensors"
    ship_weights(source, target, {})
    read_weights(target)
    write_checkpoint(source, {"model": network(0.2)})
    with pytest.raises(ConfigError, match=r"is older than model\.pt"):
        read_weights(target)
    net = network(0.0)
    engine = Engine(lambda *_: None)
    WeightsLoader(target, net).attach(engine)
    with pytest.raises(ConfigError, match="older"):
        engine.run([0])
    assert net[0].weight.unique().item() == 0
    source.unlink()
    assert read_weights(target)[0]["0.weight"][0, 0] == torch.tensor(0.1).bfloat16()
