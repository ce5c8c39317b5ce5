"""Where a bundle lies, and what its first step refuses."""

from __future__ import annotations

import json
import sys

import pytest

from monai_mtl.bundle import startup
from monai_mtl.bundle.root import bundle_root, option_values
from monai_mtl.bundle.settings import check_settings
from monai_mtl.errors import ConfigError, DataError, MissingError, RunError

CONFIG = {
    "max_epochs": 3,
    "image_size": [4, 2],
    "network_def": {"_target_": "x", "widths": [1]},
    "train": {"trainer": {"_target_": "y"}, "handlers": [{"_target_": "z"}]},
}


@pytest.fixture
def bundles(tmp_path, monkeypatch):
    for name in ("bundles/mine", "copy_of_mine"):
        (tmp_path / name / "configs").mkdir(parents=True)
        (tmp_path / name / "configs" / "metadata.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["monai/bundle/__main__.py", "run"])
    return tmp_path


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["monai/bundle/__main__.py", "run", *words])


FORMS = [["--config_file", "{}"], ["--config_file={}"], ["--config-file", "['{}', 'other/b.json']"]]


@pytest.mark.parametrize("form", FORMS)
def test_the_folder_of_the_config_file_comes_first(bundles, monkeypatch, form):
    command(monkeypatch, *(word.format("copy_of_mine/configs/train.json") for word in form))
    assert bundle_root("mine") == str(bundles / "copy_of_mine")


def test_then_the_current_folder_then_the_collection(bundles, monkeypatch):
    assert bundle_root("mine") == str(bundles / "bundles" / "mine")
    monkeypatch.chdir(bundles / "copy_of_mine")
    assert bundle_root("mine") == str(bundles / "copy_of_mine")
    command(monkeypatch, "--config_file", "configs/train.json")
    assert bundle_root("mine") == str(bundles / "copy_of_mine")


def test_a_bundle_that_is_nowhere_is_refused(bundles):
    with pytest.raises(MissingError, match="cannot find the bundle other"):
        bundle_root("other")


def test_options_may_hold_unquoted_lists(monkeypatch):
    command(monkeypatch, "--config_file", "[a.json,b.json]", "--x")
    assert option_values("config_file") == ["a.json", "b.json"]
    assert option_values("x") == []


@pytest.mark.parametrize(
    "name",
    ["max_epochs", "image_size#0", "train#trainer#amp", "train::handlers::0", "network_def#dropout", "max_epochs#x"],
)
def test_known_settings_pass(name):
    assert check_settings(CONFIG, [name]) is None


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("max_epoch", "did you mean max_epochs?"),
        ("train#trainers", "did you mean trainer?"),
        ("zzz", "use one of these"),
        ("image_size#7", "use one of these"),
    ],
)
def test_unknown_settings_are_refused_with_the_nearest_known_one(name, fix):
    with pytest.raises(ConfigError, match="there is no setting") as raised:
        check_settings(CONFIG, [name])
    assert raised.value.fix == fix


def test_start_reads_the_command_line_of_monai_bundle_only(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "train.json").write_text('{"max_epochs": 1}')
    command(monkeypatch, "--config_file", str(tmp_path / "train.json"), "--max_epochs", "2", "--epochs=2")
    with pytest.raises(ConfigError, match="no setting 'epochs'"):
        startup.start()
    monkeypatch.setattr(sys, "argv", ["pytest", "--epochs=2"])
    assert startup.start() is None


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DataError("no masks", ["a.png"]), 2, "\nerror: no masks\n  a.png\n"),
        (RunError("failed"), 1, "\nerror: failed\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_end_the_program_with_one_message_and_a_code(error, code, text, capfd, monkeypatch):
    codes = []
    monkeypatch.setattr(startup.os, "_exit", codes.append)
    startup._explain(type(error), error, None)
    assert codes == [code]
    assert capfd.readouterr().err == text


def test_a_foreign_error_keeps_its_traceback(capsys, monkeypatch):
    codes = []
    monkeypatch.setattr(startup.os, "_exit", codes.append)
    startup._explain(KeyError, KeyError("bug"), None)
    assert codes == [1]
    assert "KeyError: 'bug'" in capsys.readouterr().err


def test_settings_of_an_args_file_are_checked_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    (tmp_path / "train.json").write_text('{"max_epochs": 1}')
    (tmp_path / "args.json").write_text(json.dumps({"config_file": str(tmp_path / "train.json"), "max_epochs": 2}))
    command(monkeypatch, "--args_file", str(tmp_path / "args.json"), "--max_epochs", "3")
    assert startup.start() is None
    command(monkeypatch, "--args_file", str(tmp_path / "args.json"), "--epoch", "3")
    with pytest.raises(ConfigError, match="no setting 'epoch'"):
        startup.start()


@pytest.mark.parametrize(
    ("size", "fix"),
    [
        ([200, 200], "[256, 256]"),
        ([0, 128], "[128, 128]"),
        ([100], "[128, 128]"),
        (512, "[512, 512]"),
        ([], "[128, 128]"),
        (None, "[128, 128]"),
        ("large", "[128, 128]"),
        ([256.5, 512], "[512, 512]"),
    ],
)
def test_a_size_that_the_network_cannot_halve_is_refused(size, fix):
    assert startup.start({"image_size": [256, 128]}, 128) is None
    with pytest.raises(ConfigError, match="does not fit the network") as raised:
        startup.start({"image_size": size}, 128)
    assert raised.value.fix == f'--image_size "{fix}"'
