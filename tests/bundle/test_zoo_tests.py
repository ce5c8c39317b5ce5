"""The unit tests that the model zoo gets: complete, and of the bundle that they are named after."""

from __future__ import annotations

import ast
import json

import pytest
import torch

from monai_mtl.networks import ACSNet, TaskView

from ..commands import load_script
from ..conftest import ROOT
from ..every_bundle import NAMES
from ..small_runs import small_run


@pytest.fixture(scope="module")
def script():
    return load_script("zoo")


@pytest.mark.parametrize("kind", ["", "_dist"])
@pytest.mark.parametrize("name", NAMES)
def test_they_name_their_bundle_and_settings_and_not_our_package(script, tmp_path, name, kind):
    script.write_tests(name, tmp_path)
    text = (tmp_path / f"test_{name}{kind}.py").read_text()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "NAME":
            found["NAME"] = ast.literal_eval(node.value)
        if isinstance(node, ast.AnnAssign) and node.target.id == "SMALL":
            found["SMALL"] = ast.literal_eval(node.value)
    assert found == {"NAME": name, "SMALL": small_run(ROOT / "bundles" / name)}
    assert "monai_mtl" not in text


def test_bundles_are_excluded_from_the_check_of_shapes_once(script, tmp_path):
    (tmp_path / "ci").mkdir()
    path = tmp_path / "ci" / "bundle_custom_data.py"
    path.write_text('exclude_verify_shape_list = [\n    "other",\n]\nmore = []\n')
    for _ in range(2):
        script.exclude_from_shape_check(tmp_path, NAMES)
    found: dict = {}
    for node in ast.parse(path.read_text()).body:
        found[node.targets[0].id] = ast.literal_eval(node.value)
    assert found == {"exclude_verify_shape_list": [*NAMES, "other"], "more": []}


def test_a_view_is_one_output_and_its_shape_is_that_of_the_metadata():
    metadata = json.loads((ROOT / "bundles" / "acsnet_busi" / "configs" / "metadata.json").read_text())
    network, image = ACSNet(width=16).eval(), torch.rand(1, 3, 64, 64)
    for task, name in (("seg", "pred"), ("cls", "cls")):
        view = TaskView(network, task)
        assert torch.equal(view(image), network(image)[task])
        assert view(image).shape[1] == metadata["network_data_format"]["outputs"][name]["num_channels"]
        assert torch.equal(torch.jit.script(view)(image), view(image))
