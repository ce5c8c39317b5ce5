"""The command that a verb shows is the command that it stands for."""

from __future__ import annotations

import shlex
import sys

import pytest
from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser

from monai_mtl.bundle.running import plain_command, running_command, shown
from monai_mtl.bundle.settings import did_you_mean, merged
from monai_mtl.errors import ConfigError
from monai_mtl.registry import find_bundles

from ..conftest import ROOT

OVERLAYS = [
    pytest.param([bundle.folder / "configs" / name for name in ("train.json", *names)], id=f"{bundle.name} {names}")
    for bundle in find_bundles(ROOT)
    for names in [("demo.json", "evaluate.json"), ("multi_gpu_train.json",)]
    + [(f"ablations/{one.name}",) for one in (bundle.folder / "configs" / "ablations").glob("*.json")]
]


@pytest.mark.parametrize("files", OVERLAYS)
def test_configs_are_merged_as_monai_merges_them(files):
    assert merged(files) == ConfigParser.load_config_files([str(file) for file in files])


def test_a_broken_overlay_is_named(tmp_path):
    base, overlay = tmp_path / "train.json", tmp_path / "mine.json"
    base.write_text('{"train": {"amp": true}, "steps": [1, 2]}')
    overlay.write_text('{"steps#1": 3, "train::amp": false}')
    assert merged([base, overlay]) == {"train": {"amp": False}, "steps": [1, 3]}
    overlay.write_text('{"trian#amp": false}')
    with pytest.raises(ConfigError, match=r"mine\.json: there is no 'trian'"):
        merged([base, overlay])
    overlay.write_text("{")
    with pytest.raises(ConfigError, match="holds no JSON"):
        merged([base, overlay])


VALUES = {
    "a": [256, 128],
    "b": {"spiculated": True},
    "c": None,
    "d": 1e-06,
    "e": "1",
    "f": "two words",
    "g": "True",
    "h": "$@bundle_root + '/x'",
    "i": "",
}


def test_the_shell_and_the_command_line_read_every_value_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "bundles/x/configs" / name for name in ("train.json", "demo.json")]
    words = plain_command(files, VALUES)
    assert shlex.split(shown(words)) == words
    assert words[:4] == ["python", "-m", "monai.bundle", "run"]
    options = dict(zip(words[4::2], map(DefaultParseValue, words[5::2]), strict=True))
    assert options.pop("--config_file") == ["bundles/x/configs/train.json", "bundles/x/configs/demo.json"]
    assert options == {f"--{name}": value for name, value in VALUES.items()}


def test_the_command_of_this_process_is_known_where_it_is_one(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert running_command() is None
    monkeypatch.setattr(sys, "argv", ["/site-packages/monai/bundle/__main__.py", "run", "--config_file", "a.json"])
    assert running_command() == ["python", "-m", "monai.bundle", "run", "--config_file", "a.json"]


def test_only_a_near_name_is_suggested():
    assert did_you_mean("max_epoch", ["seed", "max_epochs"]) == "did you mean max_epochs?"
    assert did_you_mean("colour", ["seed", "max_epochs"]) == ""
