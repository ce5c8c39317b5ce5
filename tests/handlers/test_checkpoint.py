"""Weights come back as they were; nothing bad is written, nothing good is lost."""

from __future__ import annotations

import math
import os
import resource
import signal

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average
from torch import nn

from monai_mtl.errors import ConfigError, MissingError, RunError
from monai_mtl.handlers import SaveBest, SaveLast, WeightsLoader
from monai_mtl.handlers.checkpoint import write_checkpoint


def network(value: float = 0.0) -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    nn.init.constant_(net[0].weight, value)
    return net


def load_into(path, net, **options) -> None:
    engine = Engine(lambda *_: None)
    WeightsLoader(path, net, **options).attach(engine)
    engine.run([0])


def evaluator(*metrics: str) -> Engine:
    engine = Engine(lambda *_: None)
    for name in metrics:
        Average().attach(engine, name)
    return engine


def test_weights_come_back(tmp_path):
    write_checkpoint(tmp_path / "new" / "w.pt", {"model": network(3.0)})
    net = network()
    load_into(tmp_path / "new" / "w.pt", net)
    assert net[0].weight.unique().tolist() == [3.0]
    torch.save(network(4.0).state_dict(), tmp_path / "bare.pt")
    load_into(tmp_path / "bare.pt", net)
    assert net[0].weight.unique().tolist() == [4.0]


def test_best_weights_follow_the_metric_and_nan_never_wins(tmp_path):
    net = network()
    engine = evaluator("dice", "auc")
    SaveBest(tmp_path / "best.pt", net, metric="dice").attach(engine)
    saved = []
    for step, value in enumerate([math.nan, math.nan, 0.2, 0.5, math.nan, 0.5, 0.4]):
        nn.init.constant_(net[0].weight, float(step))
        engine.state.metrics["dice"] = value
        engine.fire_event(Events.COMPLETED)
        saved.append(int(torch.load(tmp_path / "best.pt", weights_only=True)["model"]["0.weight"][0, 0]))
    assert saved == [0, 1, 2, 3, 3, 5, 5]


@pytest.mark.parametrize("option", ["metric", "fallback"])
def test_a_metric_that_nobody_computes_is_refused_at_once(tmp_path, option):
    with pytest.raises(ConfigError, match=r"no metric 'dise' by which to keep best\.pt") as refused:
        SaveBest(tmp_path / "best.pt", network(), **{option: "dise"}).attach(evaluator("auc", "dice"))
    assert (refused.value.expected, refused.value.fix) == ("auc, dice", "did you mean dice?")
    with pytest.raises(ConfigError, match="no metric 'x'"):
        SaveBest(tmp_path / "best.pt", network(), **{option: "x"}).attach(evaluator())


def test_while_the_metric_is_nan_the_fallback_chooses(tmp_path):
    net = network()
    engine = evaluator("dice", "auc")
    SaveBest(tmp_path / "best.pt", net, metric="dice", fallback="auc").attach(engine)
    saved = []
    nan = math.nan
    for step, scores in enumerate([(nan, nan), (nan, 0.7), (nan, 0.6), (nan, nan), (0.1, 0.5), (nan, 0.9), (0.1, nan)]):
        nn.init.constant_(net[0].weight, float(step))
        engine.state.metrics = dict(zip(("dice", "auc"), scores, strict=True))
        engine.fire_event(Events.COMPLETED)
        saved.append(int(torch.load(tmp_path / "best.pt", weights_only=True)["model"]["0.weight"][0, 0]))
    assert saved == [0, 1, 1, 1, 4, 4, 6]


def test_a_file_size_limit_while_saving_keeps_the_file_of_before(tmp_path):
    """The limit stands for a full disk: the system refuses the bytes beyond it, at ten places of the file."""
    path, net = tmp_path / "w.pt", nn.Linear(200, 200)
    nn.init.constant_(net.weight, 1.0)
    write_checkpoint(path, {"model": net})
    whole, before = path.stat().st_size, path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    nn.init.constant_(net.weight, 2.0)
    try:
        for part in range(10):
            resource.setrlimit(resource.RLIMIT_FSIZE, (whole * part // 10, hard))
            with pytest.raises(RunError, match="could not be written"):
                write_checkpoint(path, {"model": net})
            assert path.read_bytes() == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [p.name for p in tmp_path.iterdir()] == ["w.pt"]
    write_checkpoint(path, {"model": net})
    assert torch.load(path, weights_only=True)["model"]["weight"].unique().tolist() == [2.0]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.pt"
    write_checkpoint(path, {"model": network(1.0)})

    def full_disk(states, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(RunError, match="could not be written: no space"):
        write_checkpoint(path, {"model": network(2.0)})
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["w.pt"]
    net = network()
    load_into(path, net)
    assert net[0].weight.unique().tolist() == [1.0]


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(RunError, match="not finite"):
        write_checkpoint(tmp_path / "w.pt", {"model": network(math.nan)})
    assert not list(tmp_path.iterdir())


def run_until(error: BaseException, saver: SaveLast) -> None:
    def step(engine, _):
        if engine.state.iteration == 3:
            raise error

    engine = Engine(step)
    saver.attach(engine)
    engine.run(range(4), max_epochs=5)


def test_ctrl_c_keeps_the_weights_and_a_fault_does_not(tmp_path):
    net = network(7.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    saver = SaveLast(tmp_path / "last.pt", {"model": net, "optimizer": optimizer})
    with pytest.raises(RuntimeError, match="fault"):
        run_until(RuntimeError("fault"), saver)
    assert not (tmp_path / "last.pt").exists()
    with pytest.raises(KeyboardInterrupt):
        run_until(KeyboardInterrupt(), saver)
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    assert set(content) == {"model", "optimizer", "trainer", "settings", "identity"}
    loaded = network()
    load_into(tmp_path / "last.pt", loaded)
    assert loaded[0].weight.unique().tolist() == [7.0]


def test_ctrl_c_before_the_first_step_leaves_an_older_file_alone(tmp_path):
    write_checkpoint(tmp_path / "last.pt", {"model": network(8.0)})
    engine = Engine(lambda *_: None)
    SaveLast(tmp_path / "last.pt", {"model": network(0.0)}).attach(engine)

    @engine.on(Events.STARTED)
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run([0])
    net = network()
    load_into(tmp_path / "last.pt", net)
    assert net[0].weight.unique().tolist() == [8.0]


def test_ctrl_c_while_writing_waits_for_the_file(tmp_path, monkeypatch):
    save = torch.save

    def interrupted(states, file):
        os.kill(os.getpid(), signal.SIGINT)
        save(states, file)

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path / "w.pt", {"model": network(5.0)})
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["w.pt"]
    net = network()
    load_into(tmp_path / "w.pt", net)
    assert net[0].weight.unique().tolist() == [5.0]


def test_a_missing_a_broken_and_a_foreign_file_are_refused(tmp_path):
    with pytest.raises(MissingError, match="no weights at"):
        WeightsLoader(tmp_path / "none.pt", network())
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ConfigError, match="holds no weights"):
        load_into(tmp_path / "broken.pt", network())
    for content in (torch.ones(2), [1], {"model": {"0.weight": 3}}):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(ConfigError, match="no weights by name"):
            load_into(tmp_path / "other.pt", network())
    torch.save(nn.Linear(3, 3).state_dict(), tmp_path / "foreign.pt")
    with pytest.raises(ConfigError, match="another network") as raised:
        load_into(tmp_path / "foreign.pt", network())
    assert "missing 0.weight" in raised.value.where
    torch.save({**network().state_dict(), "0.weight": torch.zeros(3, 3)}, tmp_path / "shape.pt")
    with pytest.raises(ConfigError, match="another network") as raised:
        load_into(tmp_path / "shape.pt", network())
    assert raised.value.where == ["0.weight: (3, 3), network (2, 2)"]


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"model": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match="holds no weights"):
        load_into(tmp_path / "evil.pt", network())
    assert not (tmp_path / "ran").exists()


def test_settings_that_the_weights_depend_on_must_agree(tmp_path):
    write_checkpoint(tmp_path / "w.pt", {"model": network()}, {"image_size": [256, 128]})
    load_into(tmp_path / "w.pt", network(), settings={"image_size": [256, 128]})
    with pytest.raises(ConfigError, match=r"trained with image_size \[256, 128\]") as raised:
        load_into(tmp_path / "w.pt", network(), settings={"image_size": [1024, 512]})
    assert raised.value.fix == '--image_size "[256, 128]"'
