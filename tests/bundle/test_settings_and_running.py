"""The command that a verb shows is the command that it stands for."""

from __future__ import annotations

import json
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


BASE = {"train": {"amp": True, "loss": {"weights": [1, 2]}, "rate": 0.1}, "steps": [1, {"k": 2}]}


def overlaid(folder, text):
    """Files of a base and an overlay."""
    files = [folder / "train.json", folder / "mine.json"]
    for file, content in zip(files, (json.dumps(BASE), text), strict=True):
        file.write_text(content)
    return files


@pytest.mark.parametrize(
    "overlay",
    [
        {"steps#0": 3, "train::amp": False},
        {"+train": {"amp": False, "new": 1}, "+steps": [4]},
        {"+train#loss#weights": [3], "+steps#1": {"l": 3}},
        {"train#loss": {"a": 1}, "+train#loss": {"b": 2}, "mine": 1},
    ],
)
def test_what_an_overlay_sets_and_adds_to_is_what_monai_makes_of_it(tmp_path, overlay):
    files = overlaid(tmp_path, json.dumps(overlay))
    assert merged(files) == ConfigParser.load_config_files([str(file) for file in files]) != BASE


def test_an_overlay_may_add_what_is_not_there(tmp_path):
    files = overlaid(tmp_path, '{"+mine": [1]}')
    with pytest.warns(UserWarning, match="copying instead"):
        assert merged(files) == ConfigParser.load_config_files([str(file) for file in files]) == {**BASE, "mine": [1]}


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("{", r"mine\.json holds no JSON", "correct it"),
        ("[1]", r"mine\.json is no config: it holds a list", "correct it"),
        ('{"trian#amp": false}', r"mine\.json: there is no 'trian' for trian#amp", "did you mean train?"),
        ('{"train#los#weights": []}', "there is no 'los'", "did you mean loss?"),
        ('{"train#rate#x": 1}', "there is no 'x'", "correct the name"),
        ('{"train#rate#x#y": 1}', "there is no 'x'", "correct the name"),
        ('{"steps#2": 1}', "there is no '2'", "correct the name"),
        ('{"steps#first": 1}', "there is no 'first'", "correct the name"),
        ('{"steps#first#k": 1}', "there is no 'first'", "correct the name"),
        ('{"+trian#loss": {}}', r"there is no 'trian' for \+trian#loss", "did you mean train?"),
        ('{"+steps": {"a": 1}}', r"mine\.json: \+steps adds a dict to a list", "write steps to replace"),
        ('{"+train#rate": [1]}', "adds a list to a float", "write train#rate to replace"),
    ],
)
def test_a_broken_overlay_is_named(tmp_path, text, what, fix):
    with pytest.raises(ConfigError, match=what) as refused:
        merged(overlaid(tmp_path, text))
    assert fix in refused.value.fix


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
