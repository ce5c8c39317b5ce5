"""Every bundle that is listed is a bundle that is tested."""

from __future__ import annotations

import copy
import json
import re
import shutil
from itertools import permutations
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_metadata
from monai.data import list_data_collate

from monai_mtl.bundle.export import ExportedNetwork, export_onnx
from monai_mtl.bundle.opening import start_handlers
from monai_mtl.bundle.skeleton import MARK
from monai_mtl.handlers import WeightsLoader
from monai_mtl.metrics import MEASURE_SETS, CaseTable, measure_all
from monai_mtl.registry import Bundle

from ..conftest import DATA, ROOT
from ..every_bundle import BUNDLES, every_bundle
from ..small_runs import on_sample_data
from ..trained import random_weights

CONFIGS = ("metadata", "train", "evaluate", "inference", "demo", "demo_inference", "multi_gpu_train")
FILES = [
    *(f"configs/{name}.json" for name in CONFIGS),
    *("configs/logging.conf", "docs/README.md", "docs/data_license.txt", "LICENSE"),
    *("sample_data/dataset.json", "sample_data/PROVENANCE.md"),
]
REACH = {
    "acsnet_busi": {
        "seg": ("classifier",),
        # The class sees the two coarsest encoder stages and the first decoder stage.
        "cls": (
            *("gates.0", "gates.1", "gates.2", "narrow.1", "narrow.2", "narrow.3"),
            *("decoder.1", "decoder.2", "decoder.3", "attention.1", "seg_head"),
        ),
    },
    "fcn_ddsm": {"seg": ("c_net",), "cls": ("s_net",)},
    "hds_inbreast": {"seg": ("cls_paths",), "cls": ("seg_paths",)},
    "skin_lesion_isic2017": {"seg": (), "cls": ("rpn", "mask_head", "box_head.bbox_pred")},
    "ynet_biopsy": {"seg": ("diagnosis",), "cls": ("decoder",)},
}
"""By task, the parts of the network that its loss must not reach; it reaches all others."""
BY_CHANCE = {"monai_mtl.networks.LesionRCNN": {"cls": ("fpn.layer_blocks.",)}}
"""By network, parts that it reaches or not: which map a box is read from depends on its size."""


def network_of(name: str) -> str:
    content = json.loads((ROOT / "bundles" / name / "configs" / "train.json").read_text())
    return content["network_def"]["_target_"]


# A bundle that has no entry yet takes that of one with the same network, as its skeleton does.
for one in BUNDLES:
    same = [name for name in REACH if network_of(name) == network_of(one.name)]
    if one.name not in REACH and same:
        REACH[one.name] = REACH[same[0]]

pytestmark = every_bundle


def config(bundle: Bundle, name: str) -> dict:
    return json.loads((bundle.folder / "configs" / f"{name}.json").read_text())


def workflow(folder: Path, names: list[str], kind: str = "train", **overrides) -> ConfigWorkflow:
    files = [str(folder / "configs" / f"{name}.json") for name in names]
    flow = ConfigWorkflow(config_file=files, workflow_type=kind, bundle_root=str(folder), **overrides)
    flow.initialize()
    return flow


def short(bundle: Bundle) -> dict:
    """What makes a run of a bundle take seconds."""
    return {**on_sample_data(bundle.folder), "max_epochs": 2, "val_interval": 1}


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> dict[str, Path]:
    """A renamed copy of each bundle, to run in."""
    folder = tmp_path_factory.mktemp("bundles")
    ignore = shutil.ignore_patterns("*.pt", "training.*", "eval", "predictions")
    return {b.name: Path(shutil.copytree(b.folder, folder / f"copy_of_{b.name}", ignore=ignore)) for b in BUNDLES}


def test_all_files_are_there_and_none_is_code(bundle):
    assert [name for name in FILES if not (bundle.folder / name).is_file()] == []
    assert not list(bundle.folder.rglob("*.py"))


def test_nothing_is_left_to_replace(bundle):
    files = [path for path in bundle.folder.rglob("*") if path.suffix in (".json", ".md", ".txt")]
    assert [str(path.relative_to(ROOT)) for path in files if MARK in path.read_text(encoding="utf-8")] == []


def test_metadata_is_valid_and_its_version_is_in_the_changelog(bundle):
    meta_file = str(bundle.folder / "configs" / "metadata.json")
    verify_metadata(meta_file=meta_file, filepath=str(DATA / "meta_schema.json"))
    assert bundle.metadata["version"] in bundle.metadata["changelog"]
    assert next(iter(bundle.metadata["network_data_format"]["outputs"])) == "pred"
    assert not re.search("detection|deepedit|deepgrow", bundle.name)


def test_no_config_holds_an_absolute_path_or_a_relative_root(bundle):
    for path in bundle.folder.glob("configs/**/*.json"):
        text = path.read_text()
        assert not re.search(r'"(/|[A-Za-z]:\\)', text), path
        assert "print(" not in text


def test_every_output_is_as_metadata_says(bundle):
    declared = bundle.metadata["network_data_format"]
    image = declared["inputs"]["image"]
    net = workflow(bundle.folder, ["inference"], "infer").network_def.eval()
    with torch.inference_mode():
        outputs = net(torch.rand(1, image["num_channels"], *image["spatial_shape"]))
    outputs["pred"] = outputs.pop("seg")
    assert set(outputs) == set(declared["outputs"])
    for name, spec in declared["outputs"].items():
        assert outputs[name].shape == (1, spec["num_channels"], *spec["spatial_shape"]), name
        assert str(outputs[name].dtype) == f"torch.{spec['dtype']}"
        # MONAI Label takes the names of a mask as those of its values; one logit, of a mask or a class, has two.
        values = max(spec["num_channels"], 2)
        assert sorted(spec["channel_def"]) == [str(i) for i in range(values)]


def test_properties_are_complete_and_every_component_can_be_made(bundle):
    for names, kind in ((["train"], "train"), (["train", "evaluate"], "train"), (["inference"], "infer")):
        weights = {"checkpoint": str(bundle.folder / "LICENSE")} if names != ["train"] else {}
        flow = workflow(bundle.folder, names, kind, **weights, **short(bundle) if kind == "train" else {})
        assert flow.check_properties() == [], names
    for overlay in sorted((bundle.folder / "configs" / "ablations").glob("*.json")):
        names = ["train", f"ablations/{overlay.stem}", "evaluate"]
        weights = {"checkpoint": str(bundle.folder / "LICENSE")}
        flow = workflow(bundle.folder, names, "train", **weights, **short(bundle))
        assert flow.check_properties() == [], names
        assert set(config(bundle, f"ablations/{overlay.stem}")) - {"_desc_", "report_title"}, names


def test_a_training_begins_with_the_weights_of_a_file_where_one_is_named(bundle, tmp_path):
    path, content = tmp_path / "model.pt", {}
    for given in ({}, {"initial_weights": str(path)}):
        flow = workflow(bundle.folder, ["train"], **short(bundle), **given)
        network = flow.parser.get_parsed_content("network_def")
        if not given:
            content = {name: torch.full_like(value, 2) for name, value in network.state_dict().items()}
            torch.save({"model": content}, path)
        handlers = flow.parser.get_parsed_content("train#handlers")
        start_handlers([one for one in handlers if isinstance(one, WeightsLoader)])
        begun = [torch.equal(value, content[name]) for name, value in network.state_dict().items()]
        assert all(begun) if given else not any(begun)


def test_every_task_has_a_metric_and_metadata_names_exactly_them(bundle):
    train = config(bundle, "train")["validate"]
    names = {*train["key_metric"], *train["additional_metrics"]}
    assert names == set(bundle.metadata["eval_metrics"])
    for task in bundle.tasks:
        assert any(name.startswith(f"val_{task}_") for name in names), task


def test_training_and_inference_agree_on_network_and_image(bundle):
    train, inference = config(bundle, "train"), config(bundle, "inference")
    assert train["network_def"] == inference["network_def"]
    for key in {key[1:] for key in re.findall(r"@[a-z_]+", json.dumps(train["network_def"]))} | {"image_size"}:
        assert train[key] == inference[key], key
    image_side = [for_image(step) for step in train["train"]["deterministic_transforms"]]
    load = [for_image(step) for step in train["train"]["load_transforms"] if "image" in step.get("keys", "")]
    assert load + image_side == inference["preprocessing"]["transforms"]


def for_image(step: dict) -> dict:
    """A transform of image and mask, as it acts on the image alone."""
    step = copy.deepcopy(step)
    if isinstance(step["keys"], list):
        at = step["keys"].index("image")
        step["keys"] = "image"
        for name in ("mode", "anti_aliasing"):
            if isinstance(step.get(name), list):
                step[name] = step[name][at]
    return step


def test_overlays_change_named_settings_of_their_config(bundle):
    own = {"checkpoint", "imports", "finalize", "backend", "datalist"}
    names = {path.stem for path in (bundle.folder / "configs").glob("*.json")} - {"metadata", "train", "inference"}
    assert names >= set(CONFIGS) - {"metadata", "train", "inference"}
    for name in names:
        base = ConfigParser(config(bundle, "inference" if name.endswith("_inference") else "train"))
        for key in config(bundle, name):
            parent = key.rpartition("#")[0]
            assert key in base or key == "_desc_" or (parent and parent in base) or key in own, (name, key)
            assert not re.search(r"#\d", key), "a list position"


def test_each_loss_reaches_what_it_must_and_nothing_else(bundle):
    flow = workflow(bundle.folder, ["train", "demo"], **short(bundle))
    net, loss, loader, prepare = (
        flow.parser.get_parsed_content(key) for key in ("network", "loss", "train#dataloader", "train#prepare_batch")
    )
    image, target, *asks = prepare(next(iter(loader)), torch.device("cpu"))
    for task in REACH[bundle.name]:
        others = {f"has_{other}": torch.zeros_like(target[f"has_{other}"]) for other in ("seg", "cls") if other != task}
        net.zero_grad()
        some = {**target, **others}
        loss(net(image, target=some) if asks else net(image), some).backward()
        unreached = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
        forbidden = {name for name, _ in net.named_parameters() if name.startswith(REACH[bundle.name][task])}
        by_chance = BY_CHANCE.get(network_of(bundle.name), {}).get(task, ())
        assert {name for name in unreached if not name.startswith(by_chance or "no name")} == forbidden, task


def test_a_scripted_network_equals_the_eager_one(bundle):
    net = workflow(bundle.folder, ["inference"], "infer").network_def
    image = torch.rand(2, bundle.metadata["network_data_format"]["inputs"]["image"]["num_channels"], 256, 128)
    scripted = torch.jit.script(net)
    for mode in (True, False):
        torch.manual_seed(0)
        eager = net.train(mode)(image)
        torch.manual_seed(0)
        result = scripted.train(mode)(image)
        assert set(result) == set(eager)
        for name, value in eager.items():
            torch.testing.assert_close(result[name], value)


@torch.inference_mode()
def test_its_network_leaves_torch_and_answers_the_same_at_three_sizes(bundle, tmp_path):
    """As TorchScript and as ONNX, each one file."""
    weights = random_weights(bundle.folder, tmp_path / "model.pt")
    net = workflow(bundle.folder, ["inference"], "infer").network_def.eval()
    net.load_state_dict(torch.load(weights, weights_only=True)["model"])
    channels = bundle.metadata["network_data_format"]["inputs"]["image"]["num_channels"]
    export_onnx(net, tmp_path / "net.onnx", torch.rand(1, channels, 128, 256) * 255)
    torch.jit.script(net).save(tmp_path / "net.ts")
    exports = (ExportedNetwork(tmp_path / "net.onnx"), torch.jit.load(tmp_path / "net.ts"))
    for shape in ((1, channels, 128, 128), (2, channels, 128, 256), (1, channels, 256, 128)):
        image = torch.rand(shape) * 255
        expected = net(image)
        for exported in exports:
            found = exported(image)
            assert set(found) == set(expected)
            for name, value in expected.items():
                difference = (found[name] - value).abs().max() / value.abs().max().clamp(min=1)
                assert difference < 1e-4, (type(exported).__name__, name, shape)


def test_a_batch_with_missing_labels_trains_in_every_order(bundle):
    flow = workflow(bundle.folder, ["train", "demo"], **short(bundle))
    net, loss, prepare, transform, datalist = (
        flow.parser.get_parsed_content(key)
        for key in ("network", "loss", "train#prepare_batch", "validate#preprocessing", "datalist")
    )
    full, mask_only, class_only = (dict(case) for case in datalist["training"][:3])
    del mask_only["label_cls"], class_only["label_seg"]
    cases = [transform(case) for case in (full, mask_only, class_only)]
    values = []
    for order in permutations(cases):
        image, target, *asks = prepare(list_data_collate(list(order)), torch.device("cpu"))
        levels = getattr(net.eval(), "forward_levels", net)  # of deep supervision
        torch.manual_seed(0)
        if asks:
            net.training = True  # but not its batch normalisation
        values.append(float(loss(levels(image, target=target) if asks else levels(image), target).detach()))
    assert values == pytest.approx([values[0]] * 6, rel=1e-4)
    assert values[0] > 0


def test_it_trains_evaluates_and_predicts_into_its_own_folder(bundle, copied, monkeypatch, tmp_path):
    """From a renamed copy, in another current folder, which stays empty."""
    monkeypatch.chdir(tmp_path)
    folder = copied[bundle.name]
    settings = short(bundle)
    before = {path for path in folder.rglob("*") if path.is_file()}
    workflow(folder, ["train", "demo"], **settings).run()
    made = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p not in before}
    weights = {f"models/demo/{name}.pt" for name in ("model", "model_last", "model_best_accuracy")}
    assert made == weights | {"models/demo/training.csv", "models/demo/training.png"}
    workflow(folder, ["train", "demo", "evaluate"], **settings).run()
    metrics = json.loads((folder / "eval" / "demo" / "metrics.json").read_text())
    assert set(metrics["metrics"]) == set(bundle.metadata["eval_metrics"])
    test_cases = json.loads((folder / "sample_data" / "dataset.json").read_text())["test"]
    assert metrics["cases"] == len(test_cases) == len(list((folder / "eval" / "demo" / "overlays").iterdir()))
    assert metrics["patients"] == len({case["patient_id"] for case in test_cases})
    scores = json.loads((folder / "eval" / "demo" / "scores.json").read_text())
    assert list(metrics["tables"])[-1].startswith("clean")
    boxes = "det" in bundle.metadata["network_data_format"]["outputs"]
    assert len(metrics["tables"]) == 2 + boxes  # by the paper's rules, of boxes, and by clean ones
    for kind, figures in metrics["tables"].items():
        again = measure_all(CaseTable.from_rows(scores), MEASURE_SETS[kind], draws=0)
        for name, entry in figures.items():
            assert entry["value"] is None or entry["value"] == pytest.approx(again[name]["value"]), name
            assert entry["value"] is not None or entry["reason"], name
    page = re.sub('src="data:[^"]*"', "", (folder / "eval" / "demo" / "report.html").read_text())
    assert f"{folder.name} {bundle.metadata['version']}, state {bundle.state}" in page
    assert page.count("<article") == len(test_cases)
    assert not any(case["patient_id"] in page for case in test_cases)
    images = copy_images(folder, test_cases[:2], tmp_path.parent / f"{bundle.name}_images")
    weights = str(folder / "models" / "demo" / "model.pt")
    sizes = on_sample_data(bundle.folder, "inference")
    workflow(folder, ["inference"], "infer", dataset_dir=str(images), checkpoint=weights, **sizes).run()
    results = json.loads((folder / "predictions" / "results.json").read_text())
    assert [r["case_id"] for r in results["results"]] == sorted(p.stem for p in images.iterdir())
    assert not list(tmp_path.iterdir())


def copy_images(folder: Path, cases: list[dict], target: Path) -> Path:
    target.mkdir()
    for case in cases:
        shutil.copy(folder / "sample_data" / case["image"], target)
    return target
