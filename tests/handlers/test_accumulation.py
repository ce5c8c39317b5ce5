"""Gradients summed over batches: the step of one large batch, logged and guarded as any other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from monai.data import DataLoader
from monai.engines import IterationEvents, SupervisedTrainer
from monai.transforms import Compose
from torch import nn

from monai_mtl.data import CaseDataset
from monai_mtl.engines import PrepareMultiTaskBatch
from monai_mtl.errors import RunError
from monai_mtl.handlers import FiniteGradients, LossEpoch, TrainingLog

from .small_training import SmallLoss, cases


class WithoutNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        return {"cls": self.head(self.body(image).mean((2, 3)))}


def training(folder: Path, batch_size: int, accumulation_steps: int, count: int = 16) -> SupervisedTrainer:
    torch.manual_seed(0)
    network, loss = WithoutNorm(), SmallLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=3,
        train_data_loader=DataLoader(CaseDataset(cases(count), Compose([])), batch_size=batch_size),
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        prepare_batch=PrepareMultiTaskBatch(["cls"]),
        decollate=False,
        train_handlers=[LossEpoch(loss), FiniteGradients(network), TrainingLog(folder, loss, optimizer)],
        accumulation_steps=accumulation_steps,
    )


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "training.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_two_batches_of_four_are_one_of_eight(tmp_path):
    whole, halves = training(tmp_path / "8", 8, 1), training(tmp_path / "4", 4, 2)
    start = {name: value.clone() for name, value in whole.network.state_dict().items()}
    whole.run()
    halves.run()
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(halves.network.state_dict()[name], value, rtol=0, atol=1e-6)
        assert not torch.equal(value, start[name])
    assert halves.loss_function.epoch == whole.loss_function.epoch == 3
    for one, other in zip(rows(tmp_path / "8"), rows(tmp_path / "4"), strict=True):
        # The loss is the batches' own, not its share of the sum; steps are batches.
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["cls_loss"] == pytest.approx(one["cls_loss"], rel=1e-5)
        assert other["step"] == 2 * one["step"]


def test_without_accumulation_halves_are_not_the_whole(tmp_path):
    whole, halves = training(tmp_path / "8", 8, 1), training(tmp_path / "4", 4, 1)
    whole.run()
    halves.run()
    pairs = zip(whole.network.parameters(), halves.network.parameters(), strict=True)
    assert max(float((one - other).abs().max()) for one, other in pairs) > 1e-3


@pytest.mark.parametrize("bad", [1, 2])
def test_a_gradient_that_is_not_finite_stops_before_the_common_step(tmp_path, bad):
    """In the first of two batches as in the second."""
    trainer = training(tmp_path, 4, 2)
    start = {name: value.clone() for name, value in trainer.network.state_dict().items()}

    def spoil(engine):
        if engine.state.iteration == bad:
            engine.network.head.weight.register_hook(lambda gradient: gradient * torch.nan)

    trainer.add_event_handler(IterationEvents.LOSS_COMPLETED, spoil)
    with pytest.raises(RunError, match=f"epoch 1, step {bad}: .*not finite") as raised:
        trainer.run()
    assert raised.value.where == [f"case{i}" for i in range(4 * bad - 4, 4 * bad)]
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, start[name])


def test_the_last_short_group_of_an_epoch_makes_its_step(tmp_path):
    trainer, steps = training(tmp_path, 4, 2, count=12), []
    step = trainer.optimizer.step
    trainer.optimizer.step = lambda: steps.append(trainer.state.iteration) or step()
    trainer.run()
    assert steps == [2, 3, 5, 6, 8, 9]
