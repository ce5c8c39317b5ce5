"""Files of a run: on the pixels of the image, and refused where there is nothing to report."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events, State
from monai.data import MetaTensor
from monai.transforms import LoadImaged
from PIL import Image

from monai_mtl.data import MedicalReader, TolerantDataset
from monai_mtl.errors import ConfigError, DataError, RunError
from monai_mtl.handlers import (
    EvaluationReport,
    LesionClassReport,
    PredictionWriter,
    RegionWriter,
    evaluation_report,
    prediction_writer,
    region_writer,
)
from monai_mtl.metrics import CaseTable
from monai_mtl.outputs.report.cases import overlay_of
from monai_mtl.outputs.report.evaluation import read_evaluation

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


def test_a_second_inference_into_the_folder_is_refused_until_the_first_ends(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"weights")

    def engine(step):
        dataset = TolerantDataset([], dict)
        writer = PredictionWriter(tmp_path / "out", dataset, tmp_path / "w.pt", "hds_inbreast", "0.1.0")
        running = Engine(step)
        running.state.device = "cpu"
        writer.attach(running)
        running.add_event_handler(Events.ITERATION_STARTED, lambda: setattr(running.state, "batch", []))
        return running

    def second(running, _):
        with pytest.raises(ConfigError, match="another run is writing to"):
            engine(lambda *_: []).run([0])
        return []

    def faulty(*_):
        raise ValueError("a fault")

    engine(second).run([0])
    with pytest.raises(ValueError, match="a fault"):
        engine(faulty).run([0])
    engine(second).run([0])
    assert not (tmp_path / "out").exists()


def transparent(path):
    Image.fromarray(np.dstack([GREY] * 3 + [np.full_like(GREY, 128)])).save(path)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(path, exif=exif)


def with_a_hole(path):
    holed = GREY.astype(np.float32)
    holed[2, 3] = np.nan
    Image.fromarray(holed).save(path)


def of_two_frames(path):
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(GREY[::-1])])


GREY = np.random.RandomState(0).permutation(600).reshape(20, 30).clip(0, 255).astype(np.uint8)
OPTIONS = {
    "alpha": ("a.png", transparent, {"alpha": "drop"}, GREY),
    "exif": ("a.png", turned, {"exif": False}, GREY),
    "non_finite": ("a.tif", with_a_hole, {"non_finite": "zero"}, None),
    "frame": ("a.tif", of_two_frames, {"frame": 1}, GREY[::-1]),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", ["lesions", "tissues"])
def test_pictures_show_the_image_as_it_was_read(tmp_path, monkeypatch, caplog, kind, option):
    name, save, options, expected = OPTIONS[option]
    save(tmp_path / name)
    if expected is None:
        expected = GREY.copy()
        expected[2, 3] = 0
    (tmp_path / "w.pt").write_bytes(b"weights")
    case = {"image": str(tmp_path / name), "case_id": "a"}
    settings = [tmp_path / "out", TolerantDataset([case], dict), tmp_path / "w.pt", "a_bundle", "0.1.0"]
    drawn = []
    if kind == "lesions":
        writer, module, drawing = PredictionWriter(*settings), prediction_writer, "draw_case"
    else:
        writer, module, drawing = RegionWriter(*settings, ["a", "b"]), region_writer, "draw_region"
    draw = getattr(module, drawing)
    monkeypatch.setattr(
        module, drawing, lambda image, *more, **named: (drawn.append(image), draw(image, *more, **named))[1]
    )
    load = LoadImaged(
        "image", MedicalReader, color="grey" if kind == "lesions" else "rgb", **options, ensure_channel_first=True
    )
    loaded = load(case)
    mask = torch.zeros(loaded["image"].shape[1:])
    writer.begin()
    writer.write(loaded, {"pred": mask, "probability": mask[None], "result": RESULT})
    shown = drawn[0] if kind == "lesions" else drawn[0][0] * 255
    assert np.allclose(shown, expected, atol=1e-4)
    assert caplog.text.count("not finite") == (option == "non_finite")  # told once


def test_a_photo_in_colour_is_shown_in_grey(tmp_path):
    photo = np.zeros((30, 50, 3), np.uint8)
    photo[:, :25, 0], photo[:, 25:] = 240, 160
    Image.fromarray(photo).save(tmp_path / "a.png")
    load = LoadImaged("image", MedicalReader, color="rgb", ensure_channel_first=True)
    image = load({"image": str(tmp_path / "a.png")})["image"]
    output = {"pred": torch.zeros(50, 30), "probability": torch.zeros(1, 50, 30), "result": RESULT}
    (tmp_path / "w.pt").write_bytes(b"weights")
    case = {"image": image, "case_id": "a"}
    dataset = TolerantDataset([case], dict)
    writer = PredictionWriter(tmp_path / "out", dataset, tmp_path / "w.pt", "any", "0.1.0")
    engine = SimpleNamespace(state=State(batch=[case], output=[output], device="cpu"))
    writer._start(engine)
    writer._write(engine)
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


def test_an_evaluation_keeps_its_folder_while_it_runs_and_frees_it_if_it_fails(tmp_path):
    output = {"pred": torch.zeros(4, 4), "probability": torch.full((1, 4, 4), torch.nan), "cls": torch.ones(2) / 2}

    def engine(step):
        running = Engine(step)
        running.state.device = "cpu"
        EvaluationReport(tmp_path / "eval", ["no mass", "mass"], "title").attach(running)
        return running

    def second(running, _):
        with pytest.raises(ConfigError, match="another run is writing to"):
            engine(lambda *_: []).run([0])
        running.state.batch = [{"case_id": "case 7"}]
        return [output]

    for _ in range(2):
        with pytest.raises(RunError, match="answer for case 7 is not finite"):
            engine(second).run([0])
        assert not (tmp_path / "eval").exists()


def test_scores_tell_the_side_of_a_case_where_the_data_do(tmp_path):
    output = {"pred": torch.zeros(4, 4), "probability": torch.zeros(1, 4, 4), "image": torch.zeros(1, 4, 4)}
    output |= {"cls": torch.tensor([0.25, 0.75]), "cls_target": 1, "cls_annotated": True, "seg_annotated": False}
    cases = [{"case_id": name, "patient_id": "p", "laterality": side} for name, side in (("a", "L"), ("b", None))]
    report = EvaluationReport(tmp_path, ["no mass", "mass"], "title", ["breasts"], cases)
    for name in ("a", "b", "c"):
        report._add_case(name, output)
    assert [(one.patient_id, one.laterality) for one in report._scores] == [("p", "L"), ("p", ""), ("", "")]


@pytest.mark.parametrize("tasks", [["seg"], ["cls"], ["seg", "cls"]])
def test_nothing_is_told_of_a_task_that_was_not_trained(tmp_path, monkeypatch, tasks):
    captions = []
    draw = evaluation_report.draw_case
    monkeypatch.setattr(evaluation_report, "draw_case", lambda *given: (captions.append(given[-1]), draw(*given))[1])
    truth = torch.zeros(1, 4, 4)
    truth[0, :2] = 1
    output = {"pred": truth[0], "probability": truth, "image": torch.rand(1, 4, 4), "seg_target": truth}
    output |= {"cls": torch.tensor([0.25, 0.75]), "cls_target": 1, "cls_annotated": True, "seg_annotated": True}
    report = EvaluationReport(tmp_path, ["no mass", "mass"], "title", ["clean"], tasks=tasks, draws=5)
    report._start(SimpleNamespace(state=SimpleNamespace(epoch_length=1)))
    report._add_case("a", output)
    report._finish(SimpleNamespace(state=SimpleNamespace(metrics={}, metric_details={}, device="cpu")))
    found = read_evaluation(tmp_path)
    (row,), seg, cls = found.rows, "seg" in tasks, "cls" in tasks
    assert (row["lesion_pixels"], row["dice"]) == (("8", "1.0") if seg else ("", ""))
    assert (row.get("p(mass)"), row["label"]) == (("0.75", "mass") if cls else (None, ""))
    assert found.table.probability.tolist() == pytest.approx([0.75 if cls else np.nan], nan_ok=True)
    assert found.table.tp.tolist() == pytest.approx([8 if seg else np.nan], nan_ok=True)
    assert captions == [["a", *(["mass; p(mass) = 0.75"] if cls else []), *(["Dice 1.00"] if seg else [])]]
    (case,) = json.loads((tmp_path / "report.json").read_text())["worst_first"]
    assert case["called"] == ("mass" if cls else None)
    assert ("no class told" in (tmp_path / "report.html").read_text()) != cls


def test_cases_whose_names_differ_have_pictures_that_differ(tmp_path):
    output = {"pred": torch.zeros(4, 4), "probability": torch.zeros(1, 4, 4), "image": torch.zeros(1, 4, 4)}
    output |= {"cls": torch.tensor([0.25, 0.75]), "cls_annotated": False, "seg_annotated": False}
    report = EvaluationReport(tmp_path, ["no mass", "mass"], "title")
    names = ["a/b", "a_b", "a%2Fb", "../a"]
    for name in names:
        report._add_case(name, output)
    assert len(list((tmp_path / "overlays").iterdir())) == len(names)
    found = SimpleNamespace(folder=tmp_path)
    assert all(overlay_of(found, name).is_file() for name in names)


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
