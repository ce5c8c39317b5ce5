"""Ten mistakes that people make, each through the command: one error with what, where and a fix, and its exit code."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from monai_mtl import cli
from monai_mtl.bundle.explain import explained
from monai_mtl.bundle.occupied_folder import OccupiedFolder, logger
from monai_mtl.errors import ConfigError, RunError

from .conftest import ROOT
from .factories import write_datalist
from .trained import SMALL, random_weights

TINY = {"image_size": [128, 128], "device": "cpu", **SMALL}
TRAINING = {"patch_size": [128, 128], "batch_size": 3, "max_epochs": 1, "val_interval": 1}


class Desk:
    """A data set, its copy without masks, weights, and the words of commands that would be right."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out"
        self.data = write_datalist(folder / "data", patients=15, sections=False)
        self.weights = random_weights(ROOT / "bundles" / "hds_inbreast", folder / "model.pt", **SMALL)
        self.file = folder / "a_file"
        self.file.write_text("here be no folder")

    def train(self, **given) -> list[str]:
        return self._words("train", {"data": self.data, **TINY, **TRAINING, **given})

    def crossval(self, **given) -> list[str]:
        return self._words("crossval", {"data": self.data, **TINY, **TRAINING, **given})

    def evaluate(self, **given) -> list[str]:
        return self._words("evaluate", {"data": self.data, "checkpoint": self.weights, **TINY, **given})

    def infer(self, **given) -> list[str]:
        return self._words("infer", {"input": self.data / "images", "weights": self.weights, **TINY, **given})

    def _words(self, verb: str, given: dict) -> list[str]:
        given = {"bundle": "hds_inbreast", "output": self.output, **given}
        return [verb, *(str(word) for name, value in given.items() for word in (f"--{name}", value))]

    def without_masks(self) -> Path:
        shutil.copytree(self.data, self.folder / "no_masks", dirs_exist_ok=True)
        shutil.rmtree(self.folder / "no_masks" / "masks")
        return self.folder / "no_masks"

    def spoilt(self, change: Callable[[bytes], bytes]) -> Path:
        path = self.folder / "spoilt.pt"
        path.write_bytes(change(self.weights.read_bytes()))
        return path


class Mistake(NamedTuple):
    """A command, and what must be told of it.

    Args:
        words: Made at a desk.
        code: Exit code.
        what: Part of the error's first line.
        fix: Part of its fix.
    """

    words: Callable[[Desk], list[str]]
    code: int
    what: str
    fix: str


def middle_changed(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 255 for byte in content[half : half + 40]) + content[half + 40 :]


def full(*names) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(names[-1]))


NO_GPU = "no CUDA GPU that PyTorch can use here"
MISTAKES = {
    "wrong folder": Mistake(lambda d: d.train(data=d.folder / "nowhere"), 2, "nowhere", "an existing folder"),
    "wrong folder of images": Mistake(lambda d: d.infer(input=d.folder / "none"), 2, "none", "--dataset_dir"),
    "no masks": Mistake(lambda d: d.train(data=d.without_masks()), 2, "15 of 15 cases have no mask", "add the masks"),
    "wrong bundle": Mistake(lambda d: d.infer(bundle="hds_inbrest"), 2, "hds_inbrest", "did you mean hds_inbreast?"),
    "a folder that is no bundle": Mistake(lambda d: d.crossval(bundle=d.data), 2, "there is no bundle", "name one"),
    "output below a file, training": Mistake(lambda d: d.train(output=d.file), 2, "a_file/models", "name a folder"),
    "output below a file": Mistake(lambda d: d.infer(output=d.file / "x"), 2, "a_file/x", "name a folder"),
    "a name that is too long": Mistake(
        lambda d: d.train(data=d.folder / ("x" * 300)), 2, "cannot open", "give it a shorter name"
    ),
    "half of the weights": Mistake(
        lambda d: d.infer(weights=d.spoilt(lambda b: b[: len(b) // 2])),
        2,
        "spoilt.pt holds no weights",
        "copy it again",
    ),
    "weights of another kind": Mistake(
        lambda d: d.infer(weights=d.spoilt(lambda b: b"<html>404")), 2, "it is no file of torch.save", "another file"
    ),
    "weights with changed bytes": Mistake(
        lambda d: d.infer(weights=d.spoilt(middle_changed)), 2, "spoilt.pt is damaged: wrong checksum", "copy it again"
    ),
    "no such kind of device": Mistake(lambda d: d.train(device="gpu"), 2, "no kind of device 'gpu'", "--device cpu"),
    "unknown metric": Mistake(
        lambda d: d.train(**{"validate#handlers#2#metric": "val_cls_acuracy"}),
        2,
        "no metric 'val_cls_acuracy' by which to keep model_best_accuracy.pt",
        "did you mean val_cls_accuracy?",
    ),
    "unknown class of a metric": Mistake(
        lambda d: d.train(**{"validate#key_metric": {"val": {"_target_": "monai_mtl.metrics.LesionDise"}}}),
        2,
        "names monai_mtl.metrics.LesionDise",
        "did you mean LesionDice?",
    ),
    "a value that a part refuses": Mistake(
        lambda d: d.infer(**{"network_def#depths": 0}), 2, "HDSUResNet cannot be made", "correct the setting"
    ),
    "an argument that a part does not know": Mistake(
        lambda d: d.infer(**{"inferer#roi_sizes": [128, 128]}), 2, "'roi_sizes'", "correct the setting"
    ),
    "wrong fold": Mistake(lambda d: d.train(fold=7), 2, "there is no fold 7", "correct fold"),
    "wrong folds": Mistake(lambda d: d.crossval(folds="[0,7]"), 2, "folds [0, 7]", "correct --folds"),
}


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    """And with logging as before: a bundle's logging.conf names the stream of one test."""
    monkeypatch.chdir(ROOT)
    loggers = [logging.getLogger(name) for name in (None, "ignite", "monai.bundle", "monai.data")]
    before = [(list(one.handlers), one.level, one.propagate) for one in loggers]
    yield
    for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
        one.handlers, one.level, one.propagate = handlers, level, propagate


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def told(capsys):
    """Runs a mistake and looks at its error."""

    def run(mistake: Mistake, desk: Desk) -> None:
        with pytest.raises(SystemExit) as left:
            cli.main(mistake.words(desk))
        shown = capsys.readouterr()
        assert left.value.code == mistake.code, shown.err
        assert shown.err.count("error:") == 1
        assert "Traceback" not in shown.err + shown.out
        first, *rest = shown.err[shown.err.index("error:") :].splitlines()
        assert mistake.what in first
        assert any(line.startswith("  fix: ") and mistake.fix in line for line in rest)

    return run


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_error_with_a_fix(name, desk, told):
    told(MISTAKES[name], desk)


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the GPU is there")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there(desk, told, device):
    told(Mistake(lambda d: d.train(device=device), 2, NO_GPU, "--device cpu"), desk)
    told(Mistake(lambda d: d.infer(device=device), 2, NO_GPU, "--device cpu"), desk)


def test_a_full_disk_as_the_system_would_tell_it(desk, told, monkeypatch):
    """No disk is filled: the call that puts a whole file in its place fails as it does on a full one."""
    monkeypatch.setattr(os, "replace", full)
    told(Mistake(Desk.train, 1, "model.pt could not be written: No space left", "free some space"), desk)
    told(Mistake(Desk.infer, 1, "cannot write", "free some space"), desk)


def test_a_folder_without_permission_as_the_system_would_tell_it(desk, told, monkeypatch):
    """Whoever runs the tests may be allowed everything: the call that makes a folder fails as it does for others."""
    place = desk.folder / "locked"

    def refuse(path, *args, **kwargs):
        if place in (path, *path.parents):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        made(path, *args, **kwargs)

    made = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", refuse)
    told(Mistake(lambda d: d.train(output=place), 2, "locked/models: Permission denied", "may write to"), desk)
    told(Mistake(lambda d: d.infer(output=place), 2, "locked: Permission denied", "may write to"), desk)


def test_two_runs_in_one_folder_at_a_time(desk, told):
    with OccupiedFolder(desk.output / "models"):
        told(Mistake(Desk.train, 2, "another run is writing to", "choose another --output"), desk)
    with OccupiedFolder(desk.output, "fold_3"):
        told(Mistake(lambda d: d.crossval(folds=3), 2, "another run is writing to", "choose another --output"), desk)
    with OccupiedFolder(desk.output):
        told(Mistake(Desk.infer, 2, "another run is writing to", "choose another --output"), desk)
    with OccupiedFolder(desk.output / "eval"):
        told(Mistake(Desk.evaluate, 2, "another run is writing to", "choose another --output"), desk)
    assert not (desk.output / "fold_3").exists()
    assert list(desk.output.rglob(".*")) == []


def test_a_folder_that_got_nothing_is_gone_when_it_is_left(tmp_path):
    with OccupiedFolder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / ".running").exists()
    assert list(tmp_path.iterdir()) == []
    with OccupiedFolder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "x").touch()
    assert [one.name for one in tmp_path.rglob("*")] == ["a", "x"]
    with OccupiedFolder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").is_dir()


def test_where_a_disk_knows_no_locks_the_run_goes_on_and_says_so(tmp_path, caplog, monkeypatch):
    def no_locks(*args, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr("monai_mtl.bundle.occupied_folder.FileLock.acquire", no_locks)
    monkeypatch.setattr(logger, "propagate", True)
    with OccupiedFolder(tmp_path):
        assert "see that no other run writes to it" in caplog.text


@pytest.mark.parametrize(
    ("locked", "what", "fix"),
    [
        ("images/x.png", "cannot read {}/images/x.png: ", "ask for the right to read it"),
        ("images", "cannot open {}/images/x.png: ", "ask for the right to enter its folder"),
        ("", "cannot write {}/images/x.png: ", "name a folder that you may write to"),
    ],
)
def test_without_permission_it_is_told_what_could_not_be_done(tmp_path, monkeypatch, locked, what, fix):
    """Whoever runs the tests may be allowed everything: the calls answer as they do to others."""
    file = tmp_path / "images" / "x.png"
    (tmp_path / "images").mkdir()
    if locked == "images/x.png":
        file.write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, mode: not locked or Path(path) != tmp_path / locked)
    for number in (errno.EACCES, errno.EPERM):
        found = explained(OSError(number, os.strerror(number), str(file)))
        assert found.what == what.format(tmp_path) + os.strerror(number)
        assert fix in found.fix


def test_a_folder_in_the_place_of_a_file(tmp_path):
    with pytest.raises(IsADirectoryError) as raised:
        tmp_path.read_bytes()
    found = explained(raised.value)
    assert (found.what, found.fix) == (f"cannot open {tmp_path}: Is a directory", "name a file, and no folder")


def test_what_may_be_a_fault_of_the_program_is_not_explained_away():
    assert explained(OSError(errno.EIO, "Input/output error")) is None
    assert explained(ValueError("a bug")) is None
    found = explained(OSError(errno.ENOSPC, "No space left on device"))
    assert (type(found), found.what) == (RunError, "cannot write a file: No space left on device")
    found = explained(ModuleNotFoundError("Cannot locate class or function path: 'nothing.at.all'."))
    assert (type(found), found.fix) == (ConfigError, "correct the _target_ of the config")
    assert explained(ModuleNotFoundError("No module named 'x'")) is None
