"""Every bundle as a client of MONAI's federated learning; one site has masks only, one has classes only."""

from __future__ import annotations

import json
import math

import pytest
import torch
from monai.fl.utils.constants import FlStatistics, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

from monai_mtl.errors import ConfigError, DataError
from monai_mtl.federated import federated_average, federated_client

from .bundles.test_all_bundles import BY_CHANCE, REACH, network_of
from .commands import load_script
from .every_bundle import BUNDLES, every_bundle
from .factories import edit_datalist, write_datalist
from .trained import tiny

LACKS = {"masks": "cls", "classes": "seg"}


def site(folder, lacks):
    """Synthetic cases with a test section, of which those for training lack the labels of a task."""

    def change(content):
        content["test"] = [content["training"].pop() for _ in range(2)]
        for case in [*content["training"], *content["validation"]]:
            case.pop(f"label_{lacks}", None)
        for case in (case for cases in content.values() for case in cases):
            case["laterality"] = "L"  # for figures of breasts

    write_datalist(folder, patients=8)
    edit_datalist(folder, change)
    return folder


def client(bundle, place, name, **more):
    settings = {**tiny(bundle.folder, "train"), "batch_size": 2, "interval_draws": 5, "precision": "fp32"}
    if "frequencies" in json.loads((bundle.folder / "configs" / "train.json").read_text()):
        settings |= {"frequencies": [0.9, 0.1]}  # sites agree on them: one without masks has none of its own
    places = {"dataset_dir": str(place / name), "ckpt_dir": str(place / "models"), "output_dir": str(place / "eval")}
    return federated_client(bundle.folder, name, rounds=2, **places, **settings, **more)


def exchanged(weights):
    return ExchangeObject(weights=dict(weights), weight_type=WeightType.WEIGHTS)


@every_bundle
def test_two_sites_with_different_labels_learn_together(bundle, tmp_path):
    clients = {
        name: client(bundle, tmp_path, site(tmp_path / name, lacks).name, unlabelled_tasks=[lacks])
        for name, lacks in LACKS.items()
    }
    network = clients["masks"].trainer.network
    masks_tell_classes = "ClassFromMaskd" in (bundle.folder / "configs" / "train.json").read_text()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(2):
        sent = {}
        for name, one in clients.items():
            one.train(exchanged(weights))
            sent[name] = one.get_weights()
            assert set(sent[name].weights) == set(weights)
            assert sent[name].statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] in (2, 4)
        for name, lacks in LACKS.items():
            labelled = "seg" if lacks == "cls" else "cls"
            by_chance = BY_CHANCE.get(network_of(bundle.name), {}).get(labelled, ())
            for key in (key for key, _ in network.named_parameters() if not key.startswith(by_chance or "no name")):
                # What the labelled task's loss does not reach belongs to the other task alone.
                rests = key.startswith(REACH[bundle.name][labelled]) and not (lacks == "cls" and masks_tell_classes)
                assert bool(sent[name].weights[key].any()) != rests, (name, key)
        weights = federated_average(weights, [one.weights for one in sent.values()], [2, 2])
    (tmp_path / "models" / "model.pt").write_bytes(b"of another training; must not be read")
    scored = clients["classes"].evaluate(exchanged(weights))
    assert {key.rpartition("_")[0] for key in scored.metrics} >= {"val_seg", "val_cls"}
    assert all(math.isfinite(value) for value in scored.metrics.values())
    evaluated = clients["classes"].evaluator.network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in evaluated.items())
    for one in clients.values():
        one.finalize()


def test_the_rate_follows_all_rounds_and_not_each(tmp_path):
    (bundle,) = [one for one in BUNDLES if one.name == "acsnet_busi"]
    site(tmp_path / "masks", "cls")
    one = client(bundle, tmp_path, "masks", unlabelled_tasks=["cls"], learning_rate=0.01, recipe="demo")
    weights = {name: value.clone() for name, value in one.trainer.network.state_dict().items()}
    for done in (1, 2):
        one.train(exchanged(weights))
        rate = one.trainer.optimizer.param_groups[-1]["lr"]
        assert rate == pytest.approx(0.001 + 0.009 * (1 + math.cos(math.pi * done / 2)) / 2)


def test_what_a_client_cannot_have_is_refused(tmp_path):
    bundle = BUNDLES[0]
    with pytest.raises(ConfigError, match="takes no checkpoint, resume"):
        federated_client(bundle.folder, "x", rounds=1, resume=True, checkpoint="model.pt")
    with pytest.raises(ConfigError, match="no setting 'batchsize'") as refused:
        client(bundle, tmp_path, "classes", batchsize=2)
    assert refused.value.fix == "did you mean batch_size?"
    for recipe in ("demmo", ["demmo"]):
        with pytest.raises(ConfigError, match="has no recipe demmo") as refused:
            client(bundle, tmp_path, "classes", recipe=recipe)
        assert refused.value.fix == "did you mean demo?"
    site(tmp_path / "classes", "seg")
    with pytest.raises(DataError, match="no training case has a label_seg"):
        client(bundle, tmp_path, "classes")
    edit_datalist(tmp_path / "classes", lambda c: [case.pop("label_cls") for case in c["training"]])
    with pytest.raises(DataError, match=r"no training case has a label\n"):
        client(bundle, tmp_path, "classes", unlabelled_tasks=["seg", "cls"])


def test_the_simulation_gives_each_site_its_labels_and_all_the_same_test(tmp_path):
    script = load_script("federated")
    write_datalist(tmp_path / "data", patients=9, images_each=2)
    edit_datalist(tmp_path / "data", lambda c: c.update(test=[c["training"].pop() for _ in range(4)]))
    sizes = script.split_labels(tmp_path / "data", tmp_path)
    assert sizes["pooled"] == {"training": 10, "validation": 4, "test": 4}
    lists = {name: json.loads((script.place_of(tmp_path, name) / "dataset.json").read_text()) for name in sizes}
    for section in ("training", "validation"):
        assert not any("label_cls" in case for case in lists["masks"][section])
        assert not any("label_seg" in case for case in lists["classes"][section])
        patients = [{case["patient_id"] for case in lists[name][section]} for name in LACKS]
        assert not patients[0] & patients[1]
        assert lists["pooled"][section] == lists["masks"][section] + lists["classes"][section]
    tests = [lists[name]["test"] for name in sizes]
    assert all(one == tests[0] for one in tests)
    assert all({"label_seg", "label_cls"} <= set(case) for case in tests[0])


def test_the_average_by_hand():
    weights = {"a": torch.tensor([1.0, 2.0]), "only": torch.tensor([1.0]), "none": torch.ones(1), "n": torch.tensor(10)}
    zero = torch.zeros(1)
    differences = [
        {"a": torch.tensor([4.0, 0.0]), "only": zero, "none": zero, "n": torch.tensor(3)},
        {"a": torch.tensor([0.0, 8.0]), "only": torch.tensor([2.0]), "none": zero, "n": torch.tensor(2)},
    ]
    total = federated_average(weights, differences, [1, 3])
    assert torch.equal(total["a"], torch.tensor([2.0, 8.0]))
    assert torch.equal(total["only"], torch.tensor([3.0])), "a site that rested does not count"
    assert torch.equal(total["none"], weights["none"])
    assert torch.equal(total["n"], torch.tensor(12))  # 10 + 0.75 + 1.5, rounded
    assert torch.equal(weights["a"], torch.tensor([1.0, 2.0]))
    for steps in ([1], [0, 0]):
        with pytest.raises(ValueError, match="2 sites with 0 sets of tasks took"):
            federated_average(weights, differences, steps)


def test_sites_that_share_no_task_are_added_and_others_averaged():
    weights = {"shared": torch.zeros(1), "mask": torch.zeros(1), "running": torch.zeros(1)}
    zero, one = torch.zeros(1), torch.ones(1)
    masks = {"shared": one, "mask": 3 * one, "running": one}
    more_masks = {"shared": 5 * one, "mask": 7 * one, "running": one}
    classes = {"shared": 10 * one, "mask": zero, "running": 4 * one}
    names = ["shared", "mask"]

    def average(*sites, tasks, steps=None):
        moved = federated_average(weights, sites, steps or [1] * len(sites), tasks, names)
        return {name: float(value) for name, value in moved.items()}

    added = {"shared": 11, "mask": 3, "running": 2.5}
    assert average(masks, classes, tasks=[["seg"], ["cls"]]) == added
    weighted = {"shared": (1 + 3 * 5) / 4 + 10, "mask": 6, "running": 1.6}
    found = average(masks, more_masks, classes, tasks=[["seg"], ["seg"], ["cls"]], steps=[1, 3, 1])
    assert found == pytest.approx(weighted)
    both = {"seg", "cls"}  # a site that knows both links the others
    assert average(masks, classes, more_masks, tasks=[["seg"], ["cls"], both])["shared"] == pytest.approx(16 / 3)
    assert average(masks, classes, tasks=[both, both]) == average(masks, classes, tasks=[])
    with pytest.raises(ValueError, match="2 sites with 1 sets of tasks"):
        average(masks, classes, tasks=[["seg"]])
