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
from monai_mtl.handlers import EvaluationReport, PredictionWriter

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


@pytest.mark.parametrize("color", ["rgb", "grey"])
def test_a_photo_in_colour_is_shown_where_the_writer_is_told_of_colours(tmp_path, color):
    photo = np.zeros((30, 50, 3), np.uint8)
    photo[:, :25, 0], photo[:, 25:] = 240, 160
    Image.fromarray(photo).save(tmp_path / "a.png")
    image = MetaTensor(torch.zeros(3, 50, 30), meta={"filename_or_obj": str(tmp_path / "a.png")})
    output = {"pred": torch.zeros(50, 30), "probability": torch.zeros(1, 50, 30), "result": RESULT}
    (tmp_path / "w.pt").write_bytes(b"weights")
    case = {"image": image, "case_id": "a"}
    dataset = TolerantDataset([case], dict)
    writer = PredictionWriter(tmp_path / "out", dataset, tmp_path / "w.pt", "any", "0.1.0", color=color)
    engine = SimpleNamespace(state=State(batch=[case], output=[output], device="cpu"))
    writer._start(engine)
    writer._write(engine)
    if color == "grey":
        assert "is a colour image" in str(dataset.faults["a"])
        return
    assert dataset.faults == {}
    overlay = np.asarray(Image.open(tmp_path / "out" / "a_overlay.png"))[-200]
    assert overlay[200, 0] == 0  # 240 / 3 is the darkest
    assert overlay[600, 0] == 255


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
