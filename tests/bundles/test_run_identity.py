"""A resumed training must be the stopped one: each setting that changes the weights is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from monai.bundle import ConfigWorkflow

from monai_mtl.errors import ConfigError
from monai_mtl.handlers import SaveLast

from ..every_bundle import every_bundle
from ..small_runs import on_sample_data

NAMED = ("seed", "batch_size", "accumulation_steps", "max_epochs", "schedule_epochs", "learning_rate", "weight_decay")
NAMED += ("mask_threshold", "initial_weights")
"""Settings that stand in run_identity by their own names, where a bundle has them."""
OTHERS = {"accumulation_steps": 2, "schedule_epochs": 7, "mask_threshold": 0.25}
"""Another value than any config has."""
PARTS = ("network", "loss", "optimizer", "cases", "transforms")
SCHEDULES = ("lr_scheduler", "phases")


def identity(bundle: Path, **settings: Any) -> dict[str, Any]:
    """``run_identity`` of a training on the sample data, with small networks."""
    config = str(bundle / "configs" / "train.json")
    given = {"bundle_root": str(bundle), "cache": "none", "device": "cpu", **on_sample_data(bundle), **settings}
    workflow = ConfigWorkflow(config, workflow_type="train", **given)
    return workflow.parser.get_parsed_content("run_identity", instantiate=True)


def refusal(folder: Path, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names in the refusal of a resume; none where it goes on."""
    torch.save({"trainer": {"epoch": 0, "steps": 0}, "identity": json.loads(json.dumps(then))}, folder / "last.pt")
    try:
        SaveLast(folder / "last.pt", {}, identity=now, resume=True)._load(SimpleNamespace())
    except ConfigError as error:
        return [line.partition(":")[0] for line in error.where]
    return []


@every_bundle
def test_a_resume_with_another_part_is_refused_and_named(tmp_path, bundle):
    folder = bundle.folder
    content = json.loads((folder / "configs" / "train.json").read_text())
    small = next(name for name in on_sample_data(folder) if name.startswith("network_def#"))
    whole = content["network_def"].get(small.partition("#")[2])  # None is the default of what the config leaves out
    loss = "loss_def" if "loss_def" in content else "loss"
    torch.manual_seed(0)
    then = identity(folder)
    torch.manual_seed(1)
    assert refusal(tmp_path, then, identity(folder)) == []
    other = {f"{loss}#losses#cls": {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.125}}
    changes = {
        "loss": other if "losses" in content[loss] else {f"{loss}#weights#class": 0.125},
        "optimizer": {"optimizer#maximize": True},
        "network": {small: whole},
        **{name: {name: value} for name, value in OTHERS.items() if name in content},
    }
    for part, settings in changes.items():
        assert part in refusal(tmp_path, then, identity(folder, **settings)), part


@every_bundle
def test_settings_that_change_the_weights_stand_in_it_by_name(tmp_path, bundle):
    content = json.loads((bundle.folder / "configs" / "train.json").read_text())
    named = content["run_identity"]
    assert [name for name in NAMED if name in content and named.get(name) != f"@{name}"] == []
    assert [name for name in PARTS if name not in named] == []
    assert sum(name in named for name in SCHEDULES) == 1


@every_bundle
def test_a_length_is_refused_where_the_schedule_follows_it(tmp_path, bundle):
    then = identity(bundle.folder, max_epochs=4)
    assert "max_epochs" in refusal(tmp_path, then, identity(bundle.folder, max_epochs=5))
    content = json.loads((bundle.folder / "configs" / "train.json").read_text())
    longer = {"train#trainer#max_epochs": 5, "max_epochs": 4}
    if "schedule_epochs" not in content:
        assert refusal(tmp_path, then, identity(bundle.folder, **longer)) == []
        return
    assert "schedule_epochs" in refusal(tmp_path, then, identity(bundle.folder, **longer))
    assert refusal(tmp_path, then, identity(bundle.folder, schedule_epochs=4, **longer)) == []
