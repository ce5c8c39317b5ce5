"""Phases of a training, clipped steps, and the count of images in which nothing was found."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import LrScheduleHandler
from torch import nn

from monai_mtl.errors import ConfigError
from monai_mtl.handlers import ClipGradients, DetectionCount, TrainingPhases

from .small_training import small_training

PHASES = [
    {"epochs": 2, "frozen": ["body."]},
    {"epochs": 1, "frozen": ["body.1"], "lr_factor": 0.5},
    {"epochs": 1, "lr_factor": 0.1},
]


def trained(folder, epochs: int, monkeypatch, resume: bool = False) -> dict[int, dict]:
    """Which parameters each epoch moved, and its learning rates."""
    # Its own schedule is not to change the rate too.
    monkeypatch.setattr(LrScheduleHandler, "attach", lambda handler, engine: None)
    trainer = small_training(folder, resume=resume)
    network, optimizer = trainer.network, trainer.optimizer
    TrainingPhases(network, optimizer, PHASES).attach(trainer)
    found: dict[int, dict] = {}
    before: dict[str, torch.Tensor] = {}

    @trainer.on(Events.EPOCH_STARTED)
    def _keep(engine):
        before.update({name: p.detach().clone() for name, p in network.named_parameters()})

    @trainer.on(Events.EPOCH_COMPLETED)
    def _compare(engine):
        moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
        moved.discard("body.0.bias")  # batch normalisation takes it away again: its gradient is 0 but for rounding
        found[engine.state.epoch] = {"moved": moved, "lr": optimizer.param_groups[0]["lr"]}

    trainer.state.max_epochs = epochs
    trainer.run()
    found["network"] = network
    return found


def test_each_phase_moves_its_part_at_its_rate_and_a_resumed_training_goes_on_in_the_right_one(tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", 4, monkeypatch)
    assert [whole[epoch]["moved"] for epoch in (1, 2)] == [{"head.weight", "head.bias"}] * 2
    assert whole[3]["moved"] == {"head.weight", "head.bias", "body.0.weight"}
    assert whole[4]["moved"] == whole[3]["moved"] | {"body.1.weight", "body.1.bias"}
    assert [whole[epoch]["lr"] for epoch in (1, 2, 3, 4)] == pytest.approx([0.1, 0.1, 0.05, 0.01])
    trained(tmp_path / "parts", 3, monkeypatch)
    rest = trained(tmp_path / "parts", 4, monkeypatch, resume=True)
    assert rest[4] == whole[4]
    for one, other in zip(whole["network"].parameters(), rest["network"].parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_last_phase_lasts():
    net = nn.Linear(2, 2)
    phases = TrainingPhases(net, torch.optim.SGD(net.parameters(), lr=1.0), PHASES[2:] * 2)
    assert [phases.phase(epoch) for epoch in (1, 2, 3, 50)] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    "phases",
    [
        [], [{"frozen": []}], [{"epochs": 0}], [{"epochs": 1, "lr_factor": 0}], [{"epochs": 1, "froze": []}],
        [{"epochs": 1, "frozen": ["encoder."]}],
    ],
)  # fmt: skip
def test_phases_that_do_not_fit_are_refused(phases):
    net = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match="do not fit"):
        TrainingPhases(net, torch.optim.SGD(net.parameters(), lr=1.0), phases)


def test_a_step_is_no_longer_than_the_largest_norm():
    net = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    ClipGradients(optimizer, 5.0).attach(SimpleNamespace(amp=False))
    for factor, length in ((100.0, 5.0), (1.0, 1.0)):
        before = net.weight.detach().clone()
        optimizer.zero_grad()
        (net(torch.tensor([[1.0, 0, 0]])) * factor).sum().backward()
        optimizer.step()
        assert float((net.weight - before).norm().detach()) == pytest.approx(length, rel=1e-4)


def test_clipping_refuses_what_it_cannot_do():
    net = nn.Linear(3, 1)
    with pytest.raises(ConfigError, match="above 0"):
        ClipGradients(torch.optim.SGD(net.parameters(), lr=1.0), 0.0)
    fused = torch.optim.SGD(net.parameters(), lr=1.0, fused=True)
    with pytest.raises(ConfigError, match="fused step"):
        ClipGradients(fused, 1.0).attach(SimpleNamespace(amp=True))


def test_images_in_which_nothing_was_found_are_counted_anew_in_each_run(caplog):
    scores = [[0.9, 0.0], [0.0, 0.4], [0.7]]
    engine = Engine(lambda _, batch: [{"det": torch.tensor([0, 0, 1, 1, score])} for score in batch])
    DetectionCount().attach(engine)
    with caplog.at_level(logging.INFO, logger="monai_mtl"):
        engine.run(scores)
        engine.run(scores[2:])
    assert caplog.messages == [
        "nothing was found in 2 of 5 images: mask empty, probability 0",
        "something was found in each of 1 images",
    ]
