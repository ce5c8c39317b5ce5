"""A stopped training goes on as if it had not been stopped; a spoilt one stops before it does harm."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from ignite.engine import Events
from monai.engines import IterationEvents

from monai_mtl.errors import ConfigError, RunError

from ..same_files import assert_same, files_of
from .small_training import EPOCHS, small_training

STEPS = 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    small_training(folder).run()
    return files_of(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(tmp_path, undisturbed, workers):
    small_training(tmp_path, workers).run()
    assert_same(files_of(tmp_path), undisturbed)


def test_another_seed_gives_other_weights(tmp_path, undisturbed):
    small_training(tmp_path, seed=1).run()
    assert not torch.equal(files_of(tmp_path)[0]["model"]["head.weight"], undisturbed[0]["model"]["head.weight"])


class Killed(Exception):
    pass


@pytest.mark.parametrize("step", range(2, EPOCHS * STEPS + 1))
def test_a_training_stopped_at_any_step_ends_with_the_same_files(tmp_path, undisturbed, step):
    trainer = small_training(tmp_path)
    event = (Events.ITERATION_COMPLETED, IterationEvents.BACKWARD_COMPLETED)[step % 2]

    @trainer.on(event)
    def kill(engine):
        if engine.state.iteration == step:
            raise Killed

    with pytest.raises(Killed):
        trainer.run()
    torch.manual_seed(step)
    trainer = small_training(tmp_path, resume=True)
    trainer.run()
    assert trainer.state.epoch == EPOCHS
    assert_same(files_of(tmp_path), undisturbed)


def test_a_finished_training_resumed_does_nothing(tmp_path, undisturbed):
    small_training(tmp_path).run()
    trainer = small_training(tmp_path, resume=True)
    trained = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: trained.append(1))
    trainer.run()
    assert not trained
    assert_same(files_of(tmp_path)[0], undisturbed[0])


def test_ctrl_c_tells_what_it_left_and_how_to_go_on(tmp_path, undisturbed, caplog):
    for step, kept, said in ((2, 0, "weights so far"), (5, 1, "--resume true")):
        trainer = small_training(tmp_path)

        @trainer.on(Events.ITERATION_COMPLETED(once=step))
        def press():
            raise KeyboardInterrupt

        with caplog.at_level(logging.INFO, "monai_mtl"):
            with pytest.raises(KeyboardInterrupt):
                trainer.run()
            assert said in caplog.text
            assert torch.load(tmp_path / "model_last.pt", weights_only=True)["trainer"]["epoch"] == kept
            small_training(tmp_path, resume=True).run()
        assert_same(files_of(tmp_path), undisturbed)
    assert "stopped in its first epoch: the training begins" in caplog.text


def test_without_a_file_a_resumed_training_begins(tmp_path, undisturbed, caplog):
    with caplog.at_level(logging.INFO, "monai_mtl"):
        small_training(tmp_path, resume=True).run()
    assert "nothing to resume" in caplog.text
    assert_same(files_of(tmp_path), undisturbed)


def test_another_training_is_not_resumed(tmp_path):
    small_training(tmp_path, learning_rate=0.1).run()
    with pytest.raises(ConfigError, match="other settings") as raised:
        small_training(tmp_path, resume=True, learning_rate=0.2).run()
    assert raised.value.where == ["learning_rate: 0.1 then, 0.2 now"]
    torch.save({"model": {}}, tmp_path / "model_last.pt")
    with pytest.raises(ConfigError, match="no training to resume"):
        small_training(tmp_path, resume=True).run()


def test_a_gradient_that_is_not_finite_stops_before_the_step_and_names_the_cases(tmp_path):
    trainer = small_training(tmp_path)

    @trainer.on(IterationEvents.BACKWARD_COMPLETED)
    def spoil(engine):
        if engine.state.iteration == 5:
            trainer.network.head.weight.grad[0, 0] = math.nan

    # Handlers run in the order in which they were added, so the fault is moved before the guard.
    handlers = trainer._event_handlers[IterationEvents.BACKWARD_COMPLETED]
    handlers.insert(0, handlers.pop())
    with pytest.raises(RunError, match="step 5: 1 gradients are not finite, the first in head") as raised:
        trainer.run()
    assert len(raised.value.where) == 4
    assert all(name.startswith("case") for name in raised.value.where)
    assert all(bool(torch.isfinite(value).all()) for value in trainer.network.state_dict().values())
    assert torch.load(tmp_path / "model_last.pt", weights_only=True)["trainer"]["epoch"] == 1


def test_an_image_that_is_not_finite_stops_before_the_forward_pass(tmp_path):
    trainer = small_training(tmp_path)
    trainer.data_loader.dataset.data[3]["image"][0, 2, 2] = math.nan
    trainer = small_training(tmp_path)
    dataset = trainer.data_loader.dataset
    dataset._cases._cache[3]["image"][0, 2, 2] = math.nan
    with pytest.raises(RunError, match="non-finite values") as raised:
        trainer.run()
    assert raised.value.where == ["case3"]
    assert raised.value.exit_code == 1
    assert all(bool(torch.isfinite(value).all()) for value in trainer.network.state_dict().values())
    assert not (tmp_path / "model_last.pt").exists()


def test_table_and_picture_tell_each_epoch(undisturbed, tmp_path):
    lines = undisturbed[2].splitlines()
    assert lines[0] == "epoch,step,learning_rate,loss,cls_loss,cls_weight,val_cls_accuracy"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert [line.split(",")[2] for line in lines[1:]] == ["0.1", "0.05", "0.05", "0.025"]
    small_training(tmp_path).run()
    assert (tmp_path / "training.png").read_bytes()[:4] == b"\x89PNG"


def test_tensorboard_is_asked_for_by_name(tmp_path, monkeypatch):
    from monai_mtl.handlers import TrainingLog

    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="tensorboard is not installed"):
        TrainingLog(tmp_path, None, None, tensorboard=True)
