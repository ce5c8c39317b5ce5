"""A new bundle begins as a copy that says what is to be replaced."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from monai_mtl.bundle.skeleton import FAILING, MARK, make_skeleton
from monai_mtl.errors import ConfigError, MissingError
from monai_mtl.registry import read_bundle

from ..commands import command
from ..conftest import ROOT
from ..every_bundle import BUNDLES, NAMES


@pytest.mark.parametrize("like", BUNDLES, ids=lambda bundle: bundle.name)
def test_configs_are_those_of_the_other_under_the_new_name(tmp_path, like):
    folder = make_skeleton("my_method", like.folder, tmp_path)
    for file in (like.folder / "configs").rglob("*.json"):
        name = file.relative_to(like.folder)
        if file.name == "metadata.json" or file.name.startswith("shipped"):
            continue
        assert json.loads((folder / name).read_text()) == json.loads(file.read_text().replace(like.name, "my_method"))
    made = read_bundle(folder)
    assert made.metadata["network_data_format"] == like.metadata["network_data_format"]
    assert set(made.metadata["eval_metrics"].values()) == {None}
    assert made.state == "skeleton"
    assert like.name not in (folder / "configs" / "metadata.json").read_text()
    assert not any((folder / name).exists() for name in ("models", "eval", "predictions"))
    assert (folder / "docs" / "README.md").read_text().count(MARK) == 5


def test_a_name_that_cannot_be_is_refused(tmp_path):
    like = BUNDLES[0].folder
    for name in ("My-Method", "1st", ""):
        with pytest.raises(ConfigError, match="cannot name a bundle"):
            make_skeleton(name, like, tmp_path)
    with pytest.raises(ConfigError, match="MONAI Label would take"):
        make_skeleton("mass_detection", like, tmp_path)
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="already"):
        make_skeleton("taken", like, tmp_path)
    with pytest.raises(MissingError, match="no folder"):
        make_skeleton("mine", like, tmp_path / "nowhere")


def test_the_verb_lists_what_is_marked_and_which_tests_fail(tmp_path, monkeypatch, capsys):
    (tmp_path / "bundles").mkdir()
    monkeypatch.chdir(tmp_path)
    code, out, _ = command(capsys, "new", "my_method", "--like", BUNDLES[0].folder)
    assert code == 0
    assert "  bundles/my_method/docs/README.md: 5\n" in out
    assert "  bundles/my_method/configs/metadata.json: 8\n" in out
    assert all(f"  {test.format(name='my_method')}\n" in out for test in FAILING)
    told = json.loads(command(capsys, "new", "another", "--like", BUNDLES[0].folder, "--json")[1])
    assert (told["bundle"], told["mark"]) == ("bundles/another", MARK)
    assert told["marks"]["bundles/another/docs/README.md"] == 5
    assert told["failing_tests"] == [test.format(name="another") for test in FAILING]


@pytest.mark.slow
@pytest.mark.parametrize("like", NAMES)
def test_exactly_the_marked_tests_fail(tmp_path, like):
    tree = tmp_path / "tree"
    kept = shutil.ignore_patterns(".git", ".venv*", "*.pt", "eval", "predictions", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, tree, ignore=kept)
    make_skeleton("my_method", tree / "bundles" / like, tree / "bundles")
    words = [
        "-m",
        "pytest",
        "-q",
        "-rf",
        "-p",
        "no:cacheprovider",
        "-k",
        "my_method or test_the_table or test_registry or navigation",
    ]
    words += ["tests/bundles/test_all_bundles.py", "tests/bundle", "tests/docs", "tests/test_registry.py"]
    place = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run([sys.executable, *words], cwd=tree, env=place, capture_output=True, text=True)
    failed = set(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))
    assert failed == {test.format(name="my_method") for test in FAILING}, done.stdout[-3000:]
