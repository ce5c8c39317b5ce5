"""The box in the files of an evaluation and of an inference."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_mtl.data import MedicalReader, TolerantDataset
from monai_mtl.errors import RunError
from monai_mtl.handlers import DetectionReport, PredictionWriter
from monai_mtl.outputs.boxes import BOX_COLOUR, TRUE_BOX_COLOUR
from monai_mtl.outputs.overlay import HEIGHT, overlay_path
from monai_mtl.outputs.report.evaluation import read_evaluation

from ..outputs.test_outputs import where


def answer(box, score, true_box=None, **more):
    """An image of 60 x 40 pixels."""
    truth = torch.zeros(1, 40, 60, dtype=torch.uint8)
    if true_box is not None:
        x0, y0, x1, y1 = true_box
        truth[0, y0:y1, x0:x1] = 1
    output = {"pred": truth[0], "probability": truth.float(), "image": torch.zeros(3, 40, 60), "seg_target": truth}
    output |= {"seg_annotated": True, "cls": torch.tensor([0.25, 0.75]), "cls_target": 1, "cls_annotated": True}
    return output | {"det": torch.tensor([*box, score], dtype=torch.float32)} | more


CASES = {
    "half": answer((10, 5, 30, 25), 0.75, (10, 5, 30, 15)),
    "missed": answer((0, 0, 0, 0), 0.0, (10, 5, 30, 25)),
    "nobody_looked": answer((10, 5, 30, 25), 0.5, seg_annotated=False),
    "false_alarm": answer((10, 5, 30, 25), 0.5),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("eval")
    report = DetectionReport(target, ["benign", "malignant"], "title", ["boxes", "clean"], draws=5)
    report._start(SimpleNamespace(state=SimpleNamespace(epoch_length=1)))
    for name, output in CASES.items():
        report._add_case(name, output)
    report._finish(SimpleNamespace(state=SimpleNamespace(metrics={}, metric_details={}, device="cpu")))
    return target


def test_the_table_of_cases_has_both_boxes(folder):
    columns = ("box", "box_score", "annotated_box", "box_iou")
    assert {row["case_id"]: tuple(row[one] for one in columns) for row in read_evaluation(folder).rows} == {
        "half": ("10.0 5.0 30.0 25.0", "0.75", "10.0 5.0 30.0 15.0", "0.5"),
        "missed": ("", "0.0", "10.0 5.0 30.0 25.0", "0.0"),
        "nobody_looked": ("10.0 5.0 30.0 25.0", "0.5", "", ""),
        "false_alarm": ("10.0 5.0 30.0 25.0", "0.5", "", ""),
    }


def test_overlap_and_precision_are_in_the_tables_with_their_n(folder):
    found = json.loads((folder / "metrics.json").read_text())["tables"]["boxes"]
    assert (found["box_iou"]["value"], found["box_iou"]["n"]) == (0.25, 2)
    # Of two lesions one is found before any false alarm: precision 1 up to recall 0.5, of 101 recalls 51.
    assert found["box_average_precision"]["value"] == pytest.approx(51 / 101)


def test_pictures_show_the_boxes_that_are_there(folder):
    for name, true, predicted in (
        ("half", True, True),
        ("missed", True, False),
        ("nobody_looked", False, True),
        ("false_alarm", False, True),
    ):
        picture = Image.open(overlay_path(folder, name)).convert("RGB")
        assert (len(where(picture, TRUE_BOX_COLOUR)) > 100, len(where(picture, BOX_COLOUR)) > 100) == (true, predicted)
    picture = Image.open(overlay_path(folder, "false_alarm")).convert("RGB")
    points = where(picture, BOX_COLOUR) - (picture.height - HEIGHT, 0)
    assert points[:, 1].min() == pytest.approx(10 * 12, abs=1)
    assert points.max(axis=0) == pytest.approx([25 * 12 - 1, 30 * 12 - 1], abs=1)
    sheet = Image.open(folder / "overview.png").convert("RGB")
    assert all(len(where(sheet.crop((0, 0, sheet.width, 60)), one)) for one in (TRUE_BOX_COLOUR, BOX_COLOUR))


def test_the_page_tells_boxes_in_words_and_in_its_legend(folder):
    page = (folder / "report.html").read_text()
    for words in (
        *("box: score 0.75, IoU 0.500", "no box found, IoU 0.000", "box: score 0.50, IoU nan"),
        *("predicted box, its score", "box of the annotation, IoU of both", "<h3>boxes</h3>"),
    ):
        assert words in page, words
    told = {one["case"]: one["box_iou"] for one in json.loads((folder / "report.json").read_text())["worst_first"]}
    assert told == {1: 0.5, 2: 0.0, 3: None, 4: None}


def test_a_box_that_is_not_finite_is_refused(tmp_path):
    report = DetectionReport(tmp_path, ["benign", "malignant"], "title")
    with pytest.raises(RunError, match="the network's answer for a is not finite"):
        report._add_case("a", answer((float("nan"), 0, 1, 1), 0.5))


def test_an_inference_shows_the_box_or_says_that_there_is_none(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"weights")
    cases, boxes = [], {"a": [10.0, 5.0, 30.0, 25.0], "b": None}
    for name in boxes:
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / f"{name}.png")
        cases.append({"image": str(tmp_path / f"{name}.png"), "case_id": name})
    out = tmp_path / "out"
    writer = PredictionWriter(out, TolerantDataset(cases, dict), tmp_path / "w.pt", "a_bundle", "0.1.0")
    writer.begin()
    for case in cases:
        array, meta = MedicalReader().get_data([Path(case["image"])])
        image = MetaTensor(array[None], meta={**meta, "filename_or_obj": case["image"]})
        box = boxes[case["case_id"]]
        result = {"classification": {"label": "benign", "probabilities": {"benign": 0.75, "malignant": 0.25}}}
        result["detection"] = {"box_xyxy": box, "score": 0.75 if box else 0.0}
        empty = torch.zeros(60, 40)
        writer.write({**case, "image": image}, {"pred": empty, "probability": empty[None], "result": result})
    writer.finish()
    points = where(Image.open(out / "a_overlay.png").convert("RGB"), BOX_COLOUR)
    assert points[:, 1].min() == pytest.approx(10 * 12, abs=1)
    assert points[:, 1].max() == pytest.approx(30 * 12 - 1, abs=1)
    assert not len(where(Image.open(out / "b_overlay.png").convert("RGB"), BOX_COLOUR))
    assert len(where(Image.open(out / "overview.png").convert("RGB").crop((0, 0, 700, 60)), BOX_COLOUR))
    page = (out / "report.html").read_text()
    for words in (
        "no lesion; box from (10, 5) to (30, 25), score 0.75",
        "no lesion; no box",
        "predicted box, its score",
    ):
        assert words in page, words
