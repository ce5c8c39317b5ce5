"""A broken bundle fails, each with the reason; ours and packed ones pass."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.jit.frontend import NotSupportedError

from monai_mtl.bundle.manifest import write_manifest
from monai_mtl.bundle.pack import pack_bundle
from monai_mtl.bundle.schema import metadata_faults
from monai_mtl.bundle.verify import verify_bundle
from monai_mtl.bundle.verify_network import output_faults, scripting_faults, weights_faults
from monai_mtl.errors import ConfigError

from ..commands import command
from ..conftest import ROOT
from ..every_bundle import BUNDLES, NAMES


@pytest.fixture
def bundle(tmp_path) -> Path:
    ignore = shutil.ignore_patterns("models", "eval", "predictions", "cache")
    return Path(shutil.copytree(ROOT / "bundles" / "acsnet_busi", tmp_path / "acsnet_busi", ignore=ignore))


def edit(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = folder / "configs" / f"{name}.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return act


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def tampered(folder: Path) -> None:
    write_manifest(folder)
    (folder / "docs" / "README.md").write_text("# Another\n")


def outputs(content: dict) -> dict:
    return content["network_data_format"]["outputs"]


BROKEN: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no licence": (remove("LICENSE"), "files", "LICENSE is missing"),
    "no inference.json": (remove("configs/inference.json"), "files", "configs/inference.json is missing"),
    "absolute path": (edit("train", lambda c: c.update(dataset_dir="/home/x/data")), "audit", "a path of one machine"),
    "command": (edit("train", lambda c: c.update(x={"_target_": "os.system"})), "audit", "os.system"),
    "tampered": (tampered, "manifest", "changed: docs/README.md"),
    "no JSON": (lambda folder: (folder / "configs" / "train.json").write_text("{"), "audit", "cannot be parsed"),
    "no task": (edit("metadata", lambda c: c.pop("task")), "metadata", "task is missing"),
    "text as list": (edit("metadata", lambda c: c.update(references="x")), "metadata", "references is str, not list"),
    "other schema": (edit("metadata", lambda c: c.update(schema="x")), "metadata", "schema is not"),
    "no changelog": (
        edit("metadata", lambda c: c.update(version="9")),
        "metadata",
        "version 9 is not in the changelog",
    ),
    "range of versions": (
        edit("metadata", lambda c: c.update(monai_version=">=1.6")),
        "metadata",
        "monai_version >=1.6 is no exact version",
    ),
    "channels without names": (
        edit("metadata", lambda c: outputs(c)["cls"].update(num_channels=3)),
        "metadata",
        "outputs cls: channel_def does not name 3 channels",
    ),
    "mask without a name for 0": (
        edit("metadata", lambda c: outputs(c)["pred"].update(num_channels=1, channel_def={"0": "mass"})),
        "metadata",
        "outputs pred: channel_def does not name 2 values of its mask",
    ),
    "class without a name for 0": (
        edit("metadata", lambda c: outputs(c)["cls"].update(num_channels=1, channel_def={"0": "malignant"})),
        "metadata",
        "outputs cls: channel_def does not name 2 values of its class",
    ),
    "output without shape": (
        edit("metadata", lambda c: outputs(c)["pred"].pop("spatial_shape")),
        "metadata",
        "outputs pred: spatial_shape missing",
    ),
    "mask is not first": (
        edit("metadata", lambda c: outputs(c).update(pred=outputs(c).pop("pred"))),
        "metadata",
        "pred is not the first output",
    ),
    "no inputs": (
        edit("metadata", lambda c: c["network_data_format"].pop("inputs")),
        "metadata",
        "network_data_format has no inputs",
    ),
    "other network": (
        edit("inference", lambda c: c["network_def"].update(width=16)),
        "training and inference agree",
        "network_def differs in width",
    ),
    "other size": (
        edit("inference", lambda c: c.update(image_size=[128, 128])),
        "training and inference agree",
        "image_size is [256, 256] in train.json, [128, 128] in inference.json",
    ),
    "other transform": (
        edit("inference", lambda c: c["preprocessing"]["transforms"].pop(2)),
        "training and inference agree",
        "the image's transforms differ",
    ),
    "metric that is not declared": (
        edit("metadata", lambda c: c["eval_metrics"].pop("val_cls_auc")),
        "metrics",
        "val_cls_auc is not in eval_metrics",
    ),
    "metric that is not computed": (
        edit("metadata", lambda c: c["eval_metrics"].update(val_seg_hd=None)),
        "metrics",
        "val_seg_hd is in eval_metrics and not computed",
    ),
    "task without a metric": (
        edit("metadata", lambda c: outputs(c).update(lm=outputs(c)["cls"])),
        "metrics",
        "no metric of task lm",
    ),
    "no validation": (edit("train", lambda c: c.pop("validate")), "metrics", "KeyError: 'validate'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_fails_with_the_reason(bundle, name):
    change, check, reason = BROKEN[name]
    change(bundle)
    failed = {one.name: one.faults for one in verify_bundle(bundle, run=False) if one.faults}
    ((failing, faults),) = failed.items()
    assert failing.startswith(check)
    assert reason in "\n".join(faults)


@pytest.mark.parametrize("name", NAMES)
def test_ours_pass_where_nothing_is_run(name):
    assert [one.text() for one in verify_bundle(ROOT / "bundles" / name, run=False) if one.faults] == []


def test_a_packed_bundle_passes_and_a_broken_one_tells_by_the_verb(bundle, tmp_path, capsys):
    for name in ("train", "inference"):  # a narrow one, in less time
        edit(name, lambda c: c["network_def"].update(width=16))(bundle)
    folder = tmp_path / "packed"
    code, out, _ = command(capsys, "pack", bundle, "--out", folder)
    assert (code, out) == (0, f"note: no weights in the bundle: train it, and pack with --weights\n{folder}\n")
    code, out, _ = command(capsys, "verify", folder)
    assert code == 0, out
    assert all(line.startswith("ok") for line in out.splitlines())
    assert len(out.splitlines()) > 10
    edit("metadata", lambda c: outputs(c)["pred"].update(dtype="float64"))(bundle)
    edit("inference", lambda c: c.pop("inferer"))(bundle)
    (bundle / "models").mkdir()
    torch.save({"model": {"a": torch.zeros(2)}}, bundle / "models" / "model.pt")
    code, out, _ = command(capsys, "verify", bundle, "--json")
    assert code == 1
    checks = {one["name"]: one for one in json.loads(out)["checks"]}
    assert "pred is torch.float32, metadata.json says float64" in checks["outputs"]["faults"]
    assert not checks["properties of inference.json"]["ok"]
    assert "a is not of this network" in checks["weights model.pt"]["faults"]
    assert checks["scripting"]["ok"]


class Small(nn.Module):
    """Outputs of fixed sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, image):
        return {"seg": self.conv(image), "cls": self.conv(image).mean((2, 3))}


DECLARED = {
    "inputs": {"image": {"num_channels": 1, "spatial_shape": [4, 6], "value_range": []}},
    "outputs": {
        "pred": {"num_channels": 2, "spatial_shape": [4, 6], "dtype": "float32"},
        "cls": {"num_channels": 2, "spatial_shape": [], "dtype": "float32"},
    },
}


def test_every_named_output_is_compared():
    net = Small().eval()
    assert output_faults(net, DECLARED) == []
    assert scripting_faults(net, DECLARED) == []
    wrong = json.loads(json.dumps(DECLARED))
    wrong["outputs"]["pred"]["spatial_shape"] = [4, 4]
    wrong["outputs"]["flow"] = wrong["outputs"].pop("cls")
    assert output_faults(net, wrong) == [
        "flow is in metadata.json and no output",
        "cls is an output and not in metadata.json",
        "pred has shape (1, 2, 4, 6), metadata.json says (1, 2, 4, 4)",
    ]


def test_a_network_that_scripts_otherwise_or_not_at_all_is_told():
    class Other(Small):
        def forward(self, image):
            if torch.jit.is_scripting():
                image = image + 1
            return {"seg": self.conv(image), "cls": self.conv(image).mean((2, 3))}

    assert scripting_faults(Other().eval(), DECLARED) == ["seg differs", "cls differs"]

    class Unscriptable(Small):
        def forward(self, *images):
            return {"seg": self.conv(images[0])}

    with pytest.raises(NotSupportedError):
        scripting_faults(Unscriptable().eval(), DECLARED)


def test_weights_must_be_of_the_network_and_finite(tmp_path):
    net = Small()
    state = net.state_dict()
    torch.save(state, tmp_path / "model.pt")
    assert weights_faults(net, tmp_path / "model.pt") == []
    torch.save({"conv.weight": torch.zeros(3), "x": state["conv.bias"]}, tmp_path / "model.pt")
    assert weights_faults(net, tmp_path / "model.pt") == [
        "conv.bias is missing",
        "x is not of this network",
        "conv.weight has shape (3,), the network (2, 1, 1, 1)",
    ]
    torch.save({**state, "conv.bias": torch.tensor([0.0, torch.nan])}, tmp_path / "model.pt")
    assert weights_faults(net, tmp_path / "model.pt") == ["conv.bias is not finite"]
    (tmp_path / "model.pt").write_text("no")
    with pytest.raises(ConfigError):
        weights_faults(net, tmp_path / "model.pt")


def test_metadata_of_ours_have_no_faults():
    for one in BUNDLES:
        assert metadata_faults(one.metadata) == []


def test_metadata_that_no_tensor_can_be_made_of_are_told():
    def faults(**entries):
        metadata = copy.deepcopy(BUNDLES[0].metadata)
        metadata["network_data_format"]["outputs"]["pred"] |= entries
        return metadata_faults(metadata)

    assert faults(channel_def={"lesion": "1"})[0].startswith("outputs pred: channel_def does not name")
    assert faults(dtype=None) == ["outputs pred: dtype missing or of another type"]
    metadata = copy.deepcopy(BUNDLES[0].metadata)
    metadata["network_data_format"]["inputs"]["image"] = "an image"
    assert "inputs image: type, format, dtype" in metadata_faults(metadata)[0]


def test_packing_twice_gives_the_same_digests(bundle, tmp_path):
    for name in ("one", "two"):
        pack_bundle(bundle, tmp_path / name)
    assert len({(tmp_path / name / "MANIFEST.sha256").read_text() for name in ("one", "two")}) == 1
