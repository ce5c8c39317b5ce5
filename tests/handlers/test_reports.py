"""Files of a run: on the pixels of the image, and refused where there is nothing to report."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, State
from monai.data import MetaTensor
from PIL import Image

from monai_mtl.data import MedicalReader, TolerantDataset
from monai_mtl.errors import DataError, RunError
from monai_mtl.handlers import EvaluationReport, LesionClassReport, PredictionWriter
from monai_mtl.metrics import CaseTable

RESULT = {"classification": {"label": "mass", "probabilities": {"no mass": 0.25, "mass": 0.75}}}


def test_predictions_lie_on_the_pixels_of_the_file(tmp_path):
    grey = np.zeros((30, 50), np.uint8)
    grey[5:10, 30:45] = 200
    Image.fromarray(grey).save(tmp_path / "a.png")
    array, meta = MedicalReader().get_data([tmp_path / "a.png"])
    image = MetaTensor(array[None], meta={**meta, "filename_or_obj": str(tmp_path / "a.png")})
    output = {"pred": (image[0] > 100).byte(), "probability": image / 250, "result": RESULT}
    (tmp_path / "w.pt").write_bytes(b"weights")
    cases = [{"image": str(tmp_path / "a.png"), "case_id": "sub/a"}]
    dataset = TolerantDataset(cases, dict)
    writer = PredictionWriter(tmp_path / "out", dataset, tmp_path / "w.pt", "hds_inbreast", "0.1.0")
    engine = SimpleNamespace(state=State(batch=[{"image": image, "case_id": "sub/a"}], output=[output], device="cpu"))
    for step in (writer._start, writer._write, writer._finish):
        step(engine)
    mask, probability = (np.asarray(Image.open(tmp_path / "out/sub" / f"a_{k}.png")) for k in ("mask", "probability"))
    assert np.array_equal(mask, (grey > 100) * 255)
    assert np.allclose(probability / 65535, grey / 250, atol=1e-4)
    result = json.loads((tmp_path / "out/sub/a.json").read_text())
    assert result["segmentation"] == {"lesion_pixels": 75, "image_size_xy": [50, 30]}
    assert str(tmp_path) not in (tmp_path / "out" / "results.json").read_text()


@pytest.mark.parametrize("key", ["probability", "cls"])
def test_a_network_that_answers_nan_is_named_and_not_scored(tmp_path, key):
    output = {"pred": torch.zeros(4, 4), "probability": torch.zeros(1, 4, 4), "cls": torch.tensor([0.5, 0.5])}
    output[key][0] = torch.nan
    report = EvaluationReport(tmp_path, ["no mass", "mass"], "title")
    with pytest.raises(RunError, match="answer for case 7 is not finite"):
        report._add_case("case 7", output)
    assert not list(tmp_path.iterdir())


def test_scores_tell_the_side_of_a_case_where_the_data_do(tmp_path):
    output = {"pred": torch.zeros(4, 4), "probability": torch.zeros(1, 4, 4), "image": torch.zeros(1, 4, 4)}
    output |= {"cls": torch.tensor([0.25, 0.75]), "cls_target": 1, "cls_annotated": True, "seg_annotated": False}
    cases = [{"case_id": name, "patient_id": "p", "laterality": side} for name, side in (("a", "L"), ("b", None))]
    report = EvaluationReport(tmp_path, ["no mass", "mass"], "title", ["breasts"], cases)
    for name in ("a", "b", "c"):
        report._add_case(name, output)
    assert [(one.patient_id, one.laterality) for one in report._scores] == [("p", "L"), ("p", ""), ("", "")]


def test_an_evaluation_without_test_cases_is_refused(tmp_path):
    engine = Engine(lambda *_: torch.zeros(1))
    engine.state.epoch_length = 0
    with pytest.raises(DataError, match="names no test case"):
        EvaluationReport(tmp_path, ["no mass", "mass"], "title").attach(engine)
    with pytest.raises(ValueError, match="no measures"):
        EvaluationReport(tmp_path, ["no mass", "mass"], "title", measures=["best"])


KINDS = ["background", "benign mass", "malignant mass"]


def test_a_mask_of_several_classes_is_counted_as_lesions_and_class_by_class(tmp_path):
    truth = torch.zeros(6, 6, dtype=torch.uint8)
    truth[0, :4], truth[5, :2] = 1, 2
    found = torch.where(truth == 1, 1, 0).byte()
    found[0, :2] = 2  # half of the benign one
    output = {"pred": found, "probability": (found > 0).float()[None], "image": torch.rand(1, 6, 6)}
    output |= {"seg_target": truth[None], "seg_annotated": True, "cls": torch.tensor([0.25, 0.75])}
    output |= {"cls_target": 1, "cls_annotated": True}
    report = LesionClassReport(tmp_path, ["benign", "malignant"], "title", KINDS)
    report._add_case("a", output)
    report._add_case("b", {**output, "seg_annotated": False})
    first, second = report._rows
    assert (first["dice benign mass"], first["dice malignant mass"]) == (round(2 * 2 / 6, 4), 0.0)
    assert (first["lesion_pixels"], first["annotated_pixels"], first["dice"]) == (4, 6, round(2 * 4 / 10, 4))
    assert second.keys() == first.keys()
    assert second["dice benign mass"] == ""
    assert list(report._scores[0].class_pixels) == [2, 2, 4, 0, 2, 2]
    assert (report._scores[0].tp, report._scores[0].fn, report._scores[0].lesions) == (4, 2, 2)
    assert not report._scores[1].class_pixels
    told = report._more(CaseTable(report._scores))["dice"]
    assert told == {"benign mass": {"value": pytest.approx(2 / 3), "n": 1}, "malignant mass": {"value": 0.0, "n": 1}}
    assert report._more(CaseTable(report._scores[1:])) == {}


def test_files_tell_the_class_of_each_lesion(tmp_path):
    grey = np.zeros((30, 50), np.uint8)
    mask = np.zeros((30, 50), np.uint8)
    mask[5:10, 30:45], mask[20:22, 3:6] = 2, 1
    Image.fromarray(grey).save(tmp_path / "a.png")
    array, meta = MedicalReader().get_data([tmp_path / "a.png"])
    image = MetaTensor(array[None], meta={**meta, "filename_or_obj": str(tmp_path / "a.png")})
    output = {"pred": torch.tensor(mask.T), "probability": torch.tensor(mask.T > 0).float()[None], "result": RESULT}
    (tmp_path / "w.pt").write_bytes(b"weights")
    dataset = TolerantDataset([{"image": str(tmp_path / "a.png"), "case_id": "a"}], dict)
    writer = PredictionWriter(tmp_path / "out", dataset, tmp_path / "w.pt", "fcn_ddsm", "0.1.0", seg_classes=KINDS)
    writer.begin()
    writer.write({"image": image, "case_id": "a"}, output)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a_mask.png")), mask)
    result = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [(one["class"], one["pixels"]) for one in result["lesions"]] == [("malignant mass", 75), ("benign mass", 6)]
    assert result["segmentation"]["lesion_pixels"] == 81
    assert result["segmentation"]["class_pixels"] == {"benign mass": 6, "malignant mass": 75}
