"""What the training data and the epoch tell network and loss."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from monai_mtl.errors import DataError
from monai_mtl.handlers import ImageStatistics, LossEpoch
from monai_mtl.handlers.progress import TrainingProgress, ValidationSummary, duration
from monai_mtl.networks import HDSUResNet


def tiny() -> HDSUResNet:
    return HDSUResNet(widths=(4,), bottom_width=4, cls_max_width=4, mil_stride=8)


def start(handler) -> None:
    engine = Engine(lambda *_: None)
    handler.attach(engine)
    engine.run([0])


def test_statistics_are_those_of_all_training_pixels():
    images = [torch.rand(1, 8, 8 + 4 * i) * 255 for i in range(3)]
    net = tiny()
    start(ImageStatistics(net, [{"image": i} for i in range(3)], lambda case: {"image": images[case["image"]]}))
    pixels = np.concatenate([image.numpy().ravel() for image in images])
    assert float(net.image_mean) == pytest.approx(pixels.mean(), rel=1e-5)
    assert float(net.image_std) == pytest.approx(pixels.std(), rel=1e-4)


def test_statistics_that_came_with_weights_stay():
    net = tiny()
    net.image_mean.fill_(87.0)
    net.image_std.fill_(67.0)
    start(ImageStatistics(net, [{}], lambda _: pytest.fail("measured again")))
    assert (float(net.image_mean), float(net.image_std)) == (87.0, 67.0)


def test_blank_training_images_are_refused():
    with pytest.raises(DataError, match="blank"):
        start(ImageStatistics(tiny(), [{}], lambda _: {"image": torch.zeros(1, 8, 8)}))


def test_the_loss_learns_the_epoch_also_of_a_resumed_run():
    loss, seen = SimpleNamespace(epoch=0), []
    engine = Engine(lambda *_: seen.append(loss.epoch))
    LossEpoch(loss).attach(engine)
    engine.load_state_dict({"epoch": 3, "max_epochs": 5, "epoch_length": 2})
    engine.run([0, 0])
    assert seen == [4, 4, 5, 5]


def test_progress_tells_length_alternative_and_losses_within_two_steps(caplog):
    caplog.set_level("INFO")
    loss = SimpleNamespace(
        weights={"seg": 1.0, "cls": 0.03}, task_losses={"seg": torch.tensor(1.5), "cls": torch.tensor(0.25)}
    )
    engine = Engine(lambda *_: None)
    TrainingProgress(loss, alternative="add CONFIGS/demo.json", long_hours=0.0).attach(engine)
    engine.run(range(2), max_epochs=2)
    lines = [record.message for record in caplog.records if record.name == "monai_mtl"]
    assert lines[0].startswith("training: 2 epochs of 2 steps. Ctrl-C")
    assert lines[1].startswith("step 1/4  epoch 1/2  loss seg 1.5000 (x1)  cls 0.2500 (x0.03)")
    assert any("the whole run takes about" in line and "add configs/demo.json" in line for line in lines[1:4])
    assert lines[-1].startswith("step 4/4")


def test_a_run_without_validation_cases_is_refused():
    engine = Engine(lambda *_: None)
    engine.state.epoch_length = 0
    with pytest.raises(DataError, match="no validation case"):
        ValidationSummary().attach(engine)


@pytest.mark.parametrize(
    ("seconds", "text"), [(12, "12 s"), (150, "2 min"), (7500, "2 h 5 min"), (3 * 86400 + 7200, "3 days, 2 h")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text
