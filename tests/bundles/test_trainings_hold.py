"""A training of any bundle repeats bit by bit, goes on after any stop, and leaves nothing bad behind."""

from __future__ import annotations

import math
import resource
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from monai.engines import IterationEvents, SupervisedTrainer

from monai_mtl.errors import RunError
from monai_mtl.registry import Bundle

from ..every_bundle import BUNDLES
from ..factories import write_datalist
from ..same_files import assert_same, files_of
from ..trained import tiny
from .test_all_bundles import workflow

EPOCHS, PATIENTS, BATCH = 2, 8, 3
SETTINGS = {"batch_size": BATCH, "max_epochs": EPOCHS, "val_interval": 1, "device": "cpu", "precision": "fp32"}
"""Six cases train, two validate."""


class Killed(Exception):
    pass


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda bundle: bundle.name)
def bundle(request) -> Bundle:
    return request.param


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_datalist(tmp_path_factory.mktemp("data"), patients=PATIENTS)


@pytest.fixture(scope="module")
def train(bundle, data):
    """Makes a trainer of the bundle; files go to a folder."""

    def make(folder: Path, **more) -> SupervisedTrainer:
        places = {"dataset_dir": str(data), "ckpt_dir": str(folder), "output_dir": str(folder / "eval")}
        settings = {**tiny(bundle.folder, "train"), **SETTINGS, **places, **more}
        return workflow(bundle.folder, ["train"], logging_file=False, **settings).trainer

    return make


@pytest.fixture(scope="module")
def undisturbed(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder).run()
    return files_of(folder)


def finite(network: torch.nn.Module) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(tmp_path, train, undisturbed, workers):
    train(tmp_path, num_workers=workers).run()
    assert_same(files_of(tmp_path), undisturbed)


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_the_cache_changes_nothing(tmp_path, train, undisturbed, cache):
    train(tmp_path / "models", cache=cache, cache_dir=str(tmp_path / "cache")).run()
    assert_same(files_of(tmp_path / "models"), undisturbed)
    kept = list((tmp_path / "cache").rglob("*.pt")) if cache == "disk" else []
    assert len(kept) == (PATIENTS if cache == "disk" else 0)


def test_another_seed_gives_other_weights(tmp_path, train, undisturbed):
    train(tmp_path, seed=1).run()
    found, name = files_of(tmp_path)[0]["model"], next(n for n in undisturbed[0]["model"] if n.endswith("weight"))
    assert not torch.equal(found[name], undisturbed[0]["model"][name])


@pytest.mark.parametrize("event", [IterationEvents.BACKWARD_COMPLETED, Events.EPOCH_COMPLETED])
def test_a_stopped_training_that_is_resumed_ends_with_the_same_files(tmp_path, train, undisturbed, event):
    """It is stopped within its second epoch, and at the end of that, when part of its files are written."""
    trainer = train(tmp_path)

    def stop(engine):
        if engine.state.epoch == 2:
            raise Killed

    trainer.add_event_handler(event, stop)
    with pytest.raises(Killed):
        trainer.run()
    torch.manual_seed(7)
    train(tmp_path, resume=True).run()
    assert_same(files_of(tmp_path), undisturbed)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses the bytes beyond it, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_ends_a_training_that_goes_on_when_there_is_room(tmp_path, train, undisturbed):
    trainer = train(tmp_path)
    with ExitStack() as full:

        def fill(engine):
            if engine.state.epoch == 2:
                full.enter_context(files_of_at_most((tmp_path / "model_last.pt").stat().st_size // 2))

        trainer.add_event_handler(Events.EPOCH_STARTED, fill)
        with pytest.raises(RunError, match="could not be written"):
            trainer.run()
    assert torch.load(tmp_path / "model_last.pt", weights_only=True)["trainer"]["epoch"] == 1
    assert not list(tmp_path.glob("*.tmp*"))
    train(tmp_path, resume=True).run()
    assert_same(files_of(tmp_path), undisturbed)


def test_an_image_that_is_not_finite_stops_before_the_forward_pass(tmp_path, train):
    trainer = train(tmp_path)
    trainer.data_loader.dataset._cases._cache[3]["image"][:] = math.nan
    with pytest.raises(RunError, match="non-finite values") as raised:
        trainer.run()
    assert raised.value.where == [trainer.data_loader.dataset.data[3]["case_id"]]
    assert raised.value.exit_code == 1
    assert finite(trainer.network)
    assert not list(tmp_path.glob("*.pt"))


def test_a_gradient_that_is_not_finite_stops_before_the_step_and_names_the_cases(tmp_path, train):
    trainer = train(tmp_path)
    name, first = next((n, p) for n, p in trainer.network.named_parameters() if p.requires_grad)

    def spoil(engine):
        if engine.state.epoch == 2:
            first.register_hook(lambda gradient: gradient * math.nan)

    trainer.add_event_handler(IterationEvents.LOSS_COMPLETED, spoil)
    with pytest.raises(RunError, match=f"epoch 2, step .*: 1 gradients are not finite, the first in {name}") as raised:
        trainer.run()
    assert len(raised.value.where) == BATCH
    assert finite(trainer.network)
    assert torch.load(tmp_path / "model_last.pt", weights_only=True)["trainer"]["epoch"] == 1
