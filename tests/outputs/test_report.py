"""The report: whole in one file, silent about names, and equal to the files that it was made of."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.metrics import auc, confusion_matrix, roc_auc_score

from monai_mtl.errors import DataError, MissingError
from monai_mtl.metrics import CLEAN, CLEAN_CLASSES, CaseTable, measure_all, score_case, score_classes
from monai_mtl.outputs.overlay import draw_case, overlay_path
from monai_mtl.outputs.report import page, write_report
from monai_mtl.outputs.report.record import copy_curves, run_record, without_folders
from monai_mtl.outputs.result_json import NOTICE, write_json

from ..conftest import ROOT

CLASSES = ["benign", "malignant <b>"]
"""One that a page must not take for markup."""


def evaluation(folder: Path, n: int = 12, several: bool = False, **record: Any) -> CaseTable:
    """Files of an evaluation of random answers; case 2 has no mask, case 3 no class, every fourth no lesion."""
    random = np.random.default_rng(0)
    (folder / "overlays").mkdir(parents=True)
    scores, rows = [], []
    for i in range(n):
        name, side = f"smith_john/scan_{i}", 40
        truth = np.zeros((side, side), np.uint8)
        truth[10:20, 10:20] = i % 4 != 0
        found = np.roll(truth, i, axis=0)
        label = math.nan if i == 2 else float(random.integers(3 if several else 2))
        truth_or_none = None if i == 1 else truth
        if several:
            chances = random.dirichlet(np.ones(3)).tolist()
            one = score_classes(name, f"{i // 2}", truth_or_none, found, 2, chances, label)
        else:
            chances = [0.0, float(random.random())]
            chances[0] = 1 - chances[1]
            heat = found * 0.9 + random.random((side, side)) * 0.05
            one = score_case(name, f"{i // 2}", truth_or_none, found, heat, chances[1], label)
        scores.append(one)
        names = [*CLASSES, "third"][: len(chances)]
        row = {"case_id": name} | {f"p({c})": f"{p:.4f}" for c, p in zip(names, chances, strict=True)}
        rows.append(row | {"label": "" if math.isnan(label) else names[int(label)]})
        Image.new("RGB", (300, 540), (i, 60, 90)).save(overlay_path(folder, name))
    table = CaseTable(scores)
    kind, measures = ("clean_classes", CLEAN_CLASSES) if several else ("clean", CLEAN)
    content = {"title": "a method & <some> data", "cases": n, "patients": len(table.groups), "metrics": {}}
    tables = {kind: measure_all(table, measures, draws=20)}
    content |= {"tables": tables, "subgroups": {"view": {"CC": tables[kind]}}, "interval": "95 % of 20 draws"}
    write_json(folder / "metrics.json", content)
    write_json(
        folder / "scores.json", [one.to_json() | {"patient_id": str(i // 2 + 1)} for i, one in enumerate(scores)]
    )
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    if record:
        write_json(folder / "run.json", run_record([], 3.2, "cpu", None, None) | record)
    return table


TRAINING = "epoch,loss,seg_loss,cls_loss,learning_rate,val_seg_dice\n1,2,1.5,0.5,0.1,\n2,1,0.7,0.3,0.1,0.4\n"


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.text += "\n" if tag == "dd" else ""
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
        self.text += "\n" if tag == "dd" else ""

    def handle_data(self, data):
        self.text += data


def parsed(path: Path) -> Page:
    found = Page(path.read_text(encoding="utf-8"))
    found.close()
    assert found.open == [], "a tag is not closed"
    return found


@pytest.fixture
def no_charts(monkeypatch):
    """For tests of all but the charts, which take most of the time."""
    monkeypatch.setattr(page, "draw_charts", lambda charts: [])


LOADS = ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href")


@pytest.mark.parametrize("several", [False, True])
def test_nothing_leaves_the_page(tmp_path, several):
    evaluation(tmp_path, several=several)
    (tmp_path / "training.csv").write_text(TRAINING)
    path = write_report(tmp_path)
    shown = parsed(path)
    targets = [(tag, value) for tag, given in shown.tags for key, value in given.items() if key in LOADS]
    assert targets
    for tag, value in targets:
        assert value.startswith(("data:", "#")), (tag, value[:60])
        assert tag != "a" or any(given.get("id") == value[1:] for _, given in shown.tags), value
    assert {tag for tag, _ in shown.tags} & {"script", "iframe", "object", "embed", "form"} == set()
    assert not re.search(r"url\(|@import|javascript:|\son\w+=", path.read_text())
    policy = next(given["content"] for tag, given in shown.tags if given.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:")
    for given in (given for tag, given in shown.tags if tag == "img"):
        kind, content = given["src"].split(";base64,")
        if kind == "data:image/webp":
            with Image.open(io.BytesIO(b64decode(content))) as picture:
                assert picture.size == (int(given["width"]), int(given["height"]))
            assert given["loading"] == "lazy"
        else:
            drawn = b64decode(content).decode()
            assert kind == "data:image/svg+xml"
            assert re.findall(r'href="(?!#)', drawn) == []
            assert "<script" not in drawn
        assert given["alt"]


def test_it_says_what_it_must_and_escapes_what_it_shows(tmp_path):
    evaluation(tmp_path, expected_cases=14, command="python -m monai.bundle run", data_sha256="abc")
    shown = parsed(write_report(tmp_path))
    assert "a method & <some> data" in shown.text
    assert "malignant <b>" in shown.text
    assert NOTICE in shown.text
    assert "2 of 14 test cases" in shown.text
    assert "mask not annotated\ncase 2\n" in shown.text
    assert "class not annotated\ncase 3\n" in shown.text
    for heading in (
        "What ran",
        "Figures",
        "Curves",
        "Confusion",
        "Missing and failed",
        "worst first",
        "How to reproduce",
    ):
        assert heading in shown.text
    assert "nan: no training.csv came with the weights" in shown.text
    assert "monai_mtl 0." in shown.text
    assert "python -m monai.bundle run" in shown.text


def test_no_name_is_told_unless_asked_for(tmp_path, no_charts):
    evaluation(tmp_path)
    overlay_path(tmp_path, "smith_john/scan_4").unlink()
    path = write_report(tmp_path)
    for text in (path.read_text(), (tmp_path / "report.json").read_text()):
        assert "smith" not in text
        assert "scan_" not in text
        assert str(tmp_path) not in text
    assert json.loads((tmp_path / "report.json").read_text())["missing"]["without_picture"] == [5]
    assert "smith_john/scan_4" in write_report(tmp_path, names=True).read_text()


def test_the_caption_of_an_overlay_which_holds_the_name_is_cut_off(tmp_path, no_charts):
    evaluation(tmp_path, n=4)
    path = overlay_path(tmp_path, "smith_john/scan_0")
    whole = np.asarray(Image.open(path)).copy()
    whole[:60] = (255, 0, 255)  # where three lines of caption stand
    Image.fromarray(whole).save(path)
    first = next(
        given for tag, given in parsed(write_report(tmp_path)).tags if given.get("alt", "").startswith("case 1:")
    )
    small = np.asarray(Image.open(io.BytesIO(b64decode(first["src"].split(",")[1]))).convert("RGB")).astype(int)
    assert abs(small - (255, 0, 255)).sum(axis=2).min() > 100


def test_the_worst_case_comes_first(tmp_path, no_charts):
    table = evaluation(tmp_path)
    write_report(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    cases = content["worst_first"]
    assert sorted(one["case"] for one in cases) == list(range(1, 13))
    worst = [one["worst"] for one in cases]
    assert worst == sorted(worst)
    equal = [(one["worst"], one["mean"]) for one in cases]
    assert equal == sorted(equal)
    by_row = {one["case"] - 1: one for one in cases}
    for i in range(12):
        right = table.probability[i] if table.label[i] == 1 else 1 - table.probability[i]
        if i == 1:
            assert by_row[i]["worst"] == pytest.approx(right, abs=1e-4)
            assert (by_row[i]["value"], by_row[i]["value_reason"]) == (None, "no annotated mask")
        elif i == 2:
            dice = 2 * table.tp[i] / (2 * table.tp[i] + table.fp[i] + table.fn[i])
            assert by_row[i]["worst"] == pytest.approx(dice)
        elif i % 4 == 0:
            assert by_row[i]["worst"] == pytest.approx(right, abs=1e-4), "nothing is predicted where nothing is"


def test_a_false_lesion_counts_nothing_and_an_unknown_case_stands_last(tmp_path, no_charts):
    evaluation(tmp_path, n=4)
    scores = json.loads((tmp_path / "scores.json").read_text())
    scores[0] |= {"fp": 5, "tn": 1595}
    scores[3] |= dict.fromkeys(("tp", "fp", "fn", "tn", "lesions", "lesions_found", "false_components", "label"))
    write_json(tmp_path / "scores.json", scores)
    write_report(tmp_path)
    first, *_, last = json.loads((tmp_path / "report.json").read_text())["worst_first"]
    assert (first["case"], first["worst"], first["value_reason"]) == (1, 0, "no lesion, but one is predicted")
    assert (last["case"], last["worst"]) == (4, None)
    assert last["reason"] == "neither mask nor class is annotated"


def test_curves_are_those_of_scikit_learn(tmp_path, no_charts):
    table = evaluation(tmp_path)
    write_report(tmp_path)
    charts = json.loads((tmp_path / "report.json").read_text())["charts"]
    known = ~np.isnan(table.label)
    y, p = table.label[known].astype(int), table.probability[known]
    roc = charts["roc"]["curves"][CLASSES[1]]
    assert charts["roc"]["n"] == 11
    assert roc["auc"] == pytest.approx(roc_auc_score(y, p))
    assert auc(roc["false_positive_rate"], roc["true_positive_rate"]) == pytest.approx(roc["auc"])
    assert charts["confusion_images"]["counts"] == confusion_matrix(y, p > 0.5).tolist()
    assert sum(one["n"] for one in charts["calibration"]["bins"]) == 11
    masks = ~np.isnan(table.tp)
    assert charts["confusion_pixels"]["counts"][1] == [table.fn[masks].sum(), table.tp[masks].sum()]
    assert charts["froc"]["lesions"] == table.lesions[masks].sum()
    assert (
        np.diff(charts["froc"]["false_per_image"]).min() >= 0 or np.diff(charts["froc"]["false_per_image"]).max() <= 0
    )


def test_curves_of_several_classes_leave_out_what_is_undefined(tmp_path):
    table = evaluation(tmp_path, several=True)
    scores = json.loads((tmp_path / "scores.json").read_text())
    for one in scores:
        one["label"] = None if one["label"] is None else min(one["label"], 1)
    write_json(tmp_path / "scores.json", scores)
    shown = parsed(write_report(tmp_path))
    charts = json.loads((tmp_path / "report.json").read_text())["charts"]
    assert charts["roc"]["curves"]["third"] == {"reason": "one class only: 0 positive and 11 negative"}
    y = np.minimum(table.label[~np.isnan(table.label)], 1).astype(int)
    p = np.stack([table.probabilities[i] for i in np.flatnonzero(~np.isnan(table.label))])
    assert charts["roc"]["curves"]["benign"]["auc"] == pytest.approx(roc_auc_score(y == 0, p[:, 0]))
    assert charts["confusion_images"]["counts"] == confusion_matrix(y, p.argmax(axis=1), labels=range(3)).tolist()
    shares = [one["share"] * one["n"] for one in charts["calibration"]["bins"]]
    assert sum(shares) == pytest.approx((p.argmax(axis=1) == y).sum())
    assert "reason" in charts["froc"]
    assert "third: nan, one class only" in shown.text


def test_what_cannot_be_drawn_says_why(tmp_path):
    evaluation(tmp_path, n=3)
    scores = json.loads((tmp_path / "scores.json").read_text())
    kept = ("case_id", "patient_id", "probability")
    write_json(tmp_path / "scores.json", [{key: one[key] for key in kept} for one in scores])
    shown = parsed(write_report(tmp_path))
    charts = json.loads((tmp_path / "report.json").read_text())["charts"]
    assert {name: one["reason"] for name, one in charts.items()} == {
        "training": "no training.csv came with the weights",
        "roc": "no case has a label",
        "froc": "no case has an annotated mask",
        "calibration": "no case has a label",
        "confusion_images": "no case has a label",
        "confusion_pixels": "no case has an annotated mask",
    }
    assert shown.text.count("nan: no case has a label") >= 3


def test_curves_of_a_training_are_drawn_task_by_task(tmp_path):
    evaluation(tmp_path / "run" / "eval", n=4)
    (tmp_path / "run" / "models").mkdir()
    (tmp_path / "run" / "models" / "training.csv").write_text(TRAINING)
    shown = parsed(write_report(tmp_path / "run"))
    training = json.loads((tmp_path / "run" / "eval" / "report.json").read_text())["charts"]["training"]
    assert training["tasks"]["seg"] == {"loss": [[1, 1.5], [2, 0.7]], "metrics": {"val_seg_dice": [[2, 0.4]]}}
    assert training["tasks"]["cls"] == {"loss": [[1, 0.5], [2, 0.3]], "metrics": {}}
    assert "Training: seg." in shown.text


def test_a_page_of_many_cases_stays_light(tmp_path, no_charts):
    evaluation(tmp_path, n=4)
    images = sorted((ROOT / "bundles" / "acsnet_busi" / "sample_data" / "images").iterdir())
    for image, target in zip(images, sorted((tmp_path / "overlays").iterdir()), strict=False):
        grey = np.asarray(Image.open(image).convert("L").resize((256, 256)))
        heat = gaussian_filter(grey / 255, 4)
        draw_case(grey, heat, heat > 0.4, heat > 0.45, ["three", "lines", "each"]).save(target)
    bare = len(re.sub('src="data:[^"]*"', "", write_report(tmp_path).read_text()))
    whole = (tmp_path / "report.html").stat().st_size
    assert (whole - bare) / 4 < 20_000, "bytes of a picture: 500 of them are less than 10 MB"
    assert bare < 40_000


def test_a_folder_without_an_evaluation_or_with_two_is_refused(tmp_path):
    with pytest.raises(MissingError, match="holds no finished evaluation"):
        write_report(tmp_path)
    evaluation(tmp_path / "a", n=4)
    write_json(tmp_path / "a" / "scores.json", [{"case_id": "other"}])
    with pytest.raises(DataError, match="of two evaluations"):
        write_report(tmp_path / "a")


def test_a_record_holds_digests_and_no_folders(tmp_path):
    (tmp_path / "a.png").write_bytes(b"image")
    (tmp_path / "model.pt").write_bytes(b"weights")
    case = {"case_id": "a", "image": str(tmp_path / "a.png"), "label_cls": 1}
    one = run_record([case], 1.0, "cpu", None, tmp_path / "model.pt")
    assert str(tmp_path) not in json.dumps(one)
    (tmp_path / "elsewhere").mkdir()
    moved = {**case, "image": str((tmp_path / "a.png").rename(tmp_path / "elsewhere" / "a.png"))}
    assert run_record([moved], 1.0, "cpu", None, None)["data_sha256"] == one["data_sha256"] is not None
    assert run_record([{**moved, "label_cls": 0}], 1.0, "cpu", None, None)["data_sha256"] != one["data_sha256"]
    lost = run_record([case], 1.0, "cpu", None, None)
    assert (lost["data_sha256"], lost["data_reason"]) == (None, "MissingError")


def test_a_command_loses_the_folders_of_its_machine():
    words = ["python", "--config_file", "['/home/me/bundles/x/configs/train.json','/home/me/mine.json']"]
    words += ["--dataset_dir=/data/smith", "--ckpt_dir", "~/runs/smith/models", "--output_dir", "runs/out"]
    assert without_folders([*words, "--dataset_dir", "smith", "--scale", "$@a / 2"]) == [
        *("python", "--config_file", "['x/configs/train.json','mine.json']", "--dataset_dir=DATA"),
        *("--ckpt_dir", "models", "--output_dir", "runs/out", "--dataset_dir", "DATA", "--scale", "$@a / 2"),
    ]


def test_curves_follow_the_weights_that_a_training_left(tmp_path):
    models, out = tmp_path / "models", tmp_path / "eval"
    models.mkdir()
    out.mkdir()
    (models / "training.csv").write_text(TRAINING)
    copy_curves(models / "model.pt", out)
    assert (out / "training.csv").read_text() == TRAINING
    copy_curves(models / "model.safetensors", out)
    assert not (out / "training.csv").exists(), "those of another training"
    copy_curves(models / "model.pt", models)
    assert (models / "training.csv").is_file()
