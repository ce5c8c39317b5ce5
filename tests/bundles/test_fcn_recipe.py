"""The recipe of fcn_ddsm: weights from the training masks, CBIS-DDSM as shipped, two stages, labels that may lack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from monai.data import list_data_collate
from PIL import Image

from monai_mtl.errors import DataError, MissingError, own_error
from monai_mtl.networks import FCNSNetCNet

from ..conftest import ROOT
from ..data.importers.test_cbis_ddsm import MASS, row
from ..data.importers.trees import write_csv, write_dicom
from ..factories import breast
from ..small_runs import on_sample_data
from .test_all_bundles import workflow

BUNDLE = ROOT / "bundles" / "fcn_ddsm"
SMALL = on_sample_data(BUNDLE)
PAPERS = {name: value for name, value in SMALL.items() if not name.endswith("_classes")}
"""Small, with the classes of the paper where the data declare none."""
SHORT = {"max_epochs": 1, "val_interval": 1, "batch_size": 3, "interval_draws": 10}


def content(parser, *keys: str) -> list:
    return [parser.get_parsed_content(key) for key in keys]


def write_cbis_ddsm(folder: Path, patients: int = 10) -> Path:
    """Masses of some patients, every second malignant, the last two the owners' test patients."""
    rows: dict[str, list[str]] = {"Training": [], "Test": []}
    for i in range(patients):
        part = "Training" if i < patients - 2 else "Test"
        patient, kind = f"P_{i:05d}", f"Mass-{part}"
        grade = "5,MALIGNANT" if i % 2 else "3,BENIGN"
        rows[part].append(row(kind, patient, "CC", 1, grade))
        grey, mask = breast(lesion=True, seed=i)
        place = folder / f"{kind}_{patient}_LEFT_CC"
        write_dicom(place / "1.1/1.2/000000.dcm", grey.astype(np.uint16) * 200)
        header = pydicom.dcmread(place / "1.1/1.2/000000.dcm")
        header.Modality = "MG"
        header.save_as(place / "1.1/1.2/000000.dcm")
        finding = place.with_name(place.name + "_1") / "1.3"
        write_dicom(finding / "2.1/000000.dcm", grey[:20, :15].astype(np.uint16))
        write_dicom(finding / "2.1/000001.dcm", mask)
    for part, name in (("Training", "train"), ("Test", "test")):
        write_csv(folder / f"mass_case_description_{name}_set.csv", MASS, *rows[part])
    return folder


def test_class_weights_come_from_the_training_masks_by_counting():
    parser = workflow(BUNDLE, ["train"], **SMALL).parser
    loss, cases, transform = content(parser, "loss", "datalist", "validate#preprocessing")
    masks = [np.asarray(transform(dict(case))["label_seg"]) for case in cases["training"]]
    counts = np.bincount(np.concatenate([mask.ravel() for mask in masks]).astype(int), minlength=2)
    assert counts[1] > 0
    assert loss.losses["seg"].class_weights == pytest.approx((1.0, counts[0] / counts[1]))
    assert loss.weights == {"seg": 1.0, "cls": 1.0}
    capped = workflow(BUNDLE, ["train"], **SMALL, largest_weight=2.0, seg_weight=0.3).parser.get_parsed_content("loss")
    assert capped.losses["seg"].class_weights == (1.0, 2.0)
    assert capped.weights == {"seg": 0.3, "cls": 1.0}


def test_the_rate_falls_by_a_power_of_the_epochs_and_the_encoder_has_a_tenth():
    parser = workflow(BUNDLE, ["train"], **SMALL).parser
    schedule, optimizer, epochs = content(parser, "lr_scheduler", "optimizer", "max_epochs")
    assert epochs == 50
    for epoch in range(epochs + 1):
        heads, encoder = (group["lr"] for group in optimizer.param_groups)
        assert (heads, encoder) == pytest.approx((rate := 1e-3 * (1 - epoch / epochs) ** 0.9, rate / 10), abs=1e-12)
        optimizer.step()
        schedule.step()


def test_the_classes_are_the_papers_unless_the_data_set_declares_its_own(tmp_path):
    own = workflow(BUNDLE, ["train"], **SMALL).parser.get_parsed_content("network_def")
    data = write_cbis_ddsm(tmp_path)
    papers = workflow(BUNDLE, ["train"], **PAPERS, dataset_dir=str(data)).parser.get_parsed_content("network_def")
    for network, classes in ((own, 2), (papers, 3)):
        found = network.eval()(torch.zeros(1, 3, 64, 64))
        assert (found["seg"].shape[1], found["cls"].shape[1]) == (classes, 1)


def test_cbis_ddsm_is_learned_scored_on_the_owners_test_patients_and_predicted_class_by_class(tmp_path):
    """Malignant images and masks apart from benign ones, as the paper has them, with no option named."""
    data = write_cbis_ddsm(tmp_path / "data")
    places = {"dataset_dir": str(data), "ckpt_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "eval")}
    training = workflow(BUNDLE, ["train"], **PAPERS, **SHORT, **places)
    datalist, load, loss = content(training.parser, "datalist", "validate#preprocessing", "loss")
    assert {case["patient_id"] for case in datalist["test"]} == {"P_00008", "P_00009"}
    for case in (case for cases in datalist.values() for case in cases):
        malignant = int(case["patient_id"][-1]) % 2
        loaded = load(dict(case))
        assert (loaded["label_cls"], loaded["has_cls"]) == (malignant, True)
        assert np.unique(loaded["label_seg"]).tolist() == [0, 1 + malignant]
    assert len(loss.losses["seg"].class_weights) == 3
    training.run()
    workflow(BUNDLE, ["train", "evaluate"], **PAPERS, **SHORT, **places).run()
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert set(metrics["dice"]) == {"benign mass", "malignant mass"}
    assert [one["n"] for one in metrics["dice"].values()] == [1, 1]
    means = [one["value"] for one in metrics["dice"].values()]
    dice = metrics["tables"]["fcn_paper"]["dice"]
    assert (dice["value"], dice["n"]) == (pytest.approx(sum(means) / 2), 2)
    assert metrics["metrics"]["val_seg_dice"]["value"] == pytest.approx(sum(means) / 2)
    assert metrics["tables"]["fcn_paper"]["auc_breast"]["n"] == 2
    image = next(data.glob("Mass-Test_P_00009_LEFT_CC/1.1/1.2/*.dcm"))
    weights = str(tmp_path / "models" / "model.pt")
    predicted = {"dataset_dir": str(image), "output_dir": str(tmp_path / "out"), "checkpoint": weights}
    workflow(BUNDLE, ["inference"], "infer", **PAPERS, **predicted).run()
    result = json.loads((tmp_path / "out" / "000000.json").read_text())
    assert list(result["classification"]["probabilities"]) == ["benign", "malignant"]
    assert set(result["segmentation"]["class_pixels"]) == {"benign mass", "malignant mass"}
    mask = np.asarray(Image.open(tmp_path / "out" / "000000_mask.png"))
    assert set(np.unique(mask)) <= {0, 1, 2}
    assert mask.shape == (96, 80)


def test_masks_that_do_not_tell_the_class_of_a_lesion_are_refused(tmp_path):
    """Nothing takes what is only known to be a lesion for a benign one."""
    data = write_cbis_ddsm(tmp_path)
    given = {"dataset_dir": str(data), "output_dir": str(tmp_path / "out"), "importer_options": {"lesions": "one"}}
    parser = workflow(BUNDLE, ["train"], **PAPERS, **given).parser
    with pytest.raises(RuntimeError, match="datalist") as raised:
        parser.get_parsed_content("datalist")
    error = own_error(raised.value)
    assert isinstance(error, DataError)
    assert "undeclared values" in str(error)


@pytest.mark.parametrize(("labels", "resting"), [(("seg",), "c_net."), (("cls",), "s_net."), (("seg", "cls"), "none")])
def test_a_case_trains_what_it_is_labelled_for_and_nothing_else(labels, resting):
    parser = workflow(BUNDLE, ["train"], **SMALL).parser
    cases, transform, prepare, network, loss, optimizer = content(
        parser, "datalist", "train#preprocessing", "train#prepare_batch", "network", "loss", "optimizer"
    )
    kept = [
        {key: v for key, v in case.items() if key[6:] in labels or "label" not in key} for case in cases["training"]
    ]
    image, target = prepare(list_data_collate([transform(case) for case in kept[:4]]), torch.device("cpu"))
    before = {name: value.clone() for name, value in network.named_parameters()}
    loss(network(image), target).backward()
    optimizer.step()
    moved = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not name.startswith(resting)}


def test_the_second_stage_begins_where_the_first_ended_and_leaves_the_mask_s_head_alone(tmp_path):
    folders = {name: str(tmp_path / name) for name in ("stage1", "stage2")}
    workflow(BUNDLE, ["train", "stage1"], **SMALL, **SHORT, ckpt_dir=folders["stage1"]).run()
    first = torch.load(tmp_path / "stage1" / "model.pt", weights_only=True)["model"]
    assert not (tmp_path / "stage1" / "model_best_accuracy.pt").exists()
    given = {**SMALL, **SHORT, "ckpt_dir": folders["stage2"], "initial_weights": str(tmp_path / "stage1" / "model.pt")}
    workflow(BUNDLE, ["train", "stage2"], **given).run()
    second = torch.load(tmp_path / "stage2" / "model.pt", weights_only=True)["model"]
    changed = {name for name in first if name.endswith("weight") and not torch.equal(first[name], second[name])}
    assert changed == {name for name in first if name.endswith("weight") and not name.startswith("s_net")}
    with pytest.raises(RuntimeError) as raised:
        workflow(BUNDLE, ["train", "stage2"], **{**given, "initial_weights": str(tmp_path / "none.pt")}).run()
    assert isinstance(own_error(raised.value), MissingError)


def test_the_encoder_starts_from_a_named_file_or_stops(tmp_path):
    small = {"encoder_depth": 18, "width": 8}
    other = {name: value + 1 for name, value in FCNSNetCNet(**small).encoder.state_dict().items()}
    torch.save(other, tmp_path / "resnet.pt")
    parser = workflow(BUNDLE, ["train"], encoder_weights=str(tmp_path / "resnet.pt"), **SMALL).parser
    assert torch.equal(parser.get_parsed_content("network").encoder.conv1.weight, other["conv1.weight"])
    with pytest.raises(RuntimeError, match="encoder_weights") as raised:
        workflow(BUNDLE, ["train"], encoder_weights=str(tmp_path / "absent.pt"), **SMALL)
    assert isinstance(own_error(raised.value), MissingError)


def test_figures_of_breasts_take_the_views_together():
    """The sample data have two views of each breast."""
    parser = workflow(BUNDLE, ["train"], **SMALL).parser
    metric, cases = content(parser, "validate#additional_metrics#val_cls_auc_breast", "validate#dataset#data")
    breasts = {(case["patient_id"], case["laterality"]) for case in cases}
    assert len(set(metric._breast.values())) == len(breasts) == len(cases) / 2
