"""An export is refused as soon as an answer changes."""

from __future__ import annotations

import math

import pytest
import torch

from monai_mtl.bundle.export import GATE_IMAGES, require_agreement
from monai_mtl.errors import DataError, RunError
from monai_mtl.metrics import (
    Accuracy,
    BoxAveragePrecision,
    BoxIoU,
    BreastROCAUC,
    LesionClassDice,
    MeanIoU,
    PixelAccuracy,
)

from .small import METRICS, POST, Brightness, cases


def test_an_equal_network_passes_with_its_figures():
    result = require_agreement(Brightness(), Brightness(), cases(), POST, METRICS)
    assert result["images"] == GATE_IMAGES
    assert set(result["metrics"]) == {"val_seg_dice", "val_cls_auc"}
    assert 0.4 < result["metrics"]["val_seg_dice"]["original"] < 1
    assert result["metrics"]["val_cls_auc"]["original"] > 0.9
    assert all(figures["change"] == 0 for figures in result["metrics"].values())
    assert result["largest_probability_change"] == 0


def test_a_shift_just_below_and_just_above_the_limit():
    """The slope of a probability by its log odds is at most a quarter."""
    below = require_agreement(Brightness(), Brightness(0.039), cases(), POST, {"val_cls_auc": METRICS["val_cls_auc"]})
    assert 0.009 < below["largest_probability_change"] < 0.01
    with pytest.raises(RunError, match=r"changes the answers on 60 images") as raised:
        require_agreement(Brightness(), Brightness(0.041), cases(), POST, METRICS)
    assert "largest change of a probability of an image: 0.010" in str(raised.value)
    assert "of a pixel:" not in str(raised.value)


def test_a_change_of_one_pixel_is_refused_when_it_is_large():
    def one_pixel(shift):
        def network(image):
            out = Brightness()(image)
            seg = out["seg"].clone()
            seg[:, 1, 0, 0] += shift
            return {"seg": seg, "cls": out["cls"]}

        return network

    result = require_agreement(Brightness(), one_pixel(0.1), cases(), POST, METRICS)
    assert 0 < result["largest_pixel_change"] < 0.1
    with pytest.raises(RunError, match="of a pixel: 0"):
        require_agreement(Brightness(), one_pixel(1.0), cases(), POST, METRICS)


def test_a_change_of_dice_alone_is_refused():
    with pytest.raises(RunError) as raised:
        require_agreement(Brightness(), Brightness(0.3), cases(), POST, METRICS, probabilities=())
    assert "val_seg_dice: 0." in str(raised.value)
    assert "val_cls_auc" not in str(raised.value)


@pytest.mark.parametrize("judge", [MeanIoU(2), PixelAccuracy(2), LesionClassDice(2)])
def test_a_change_of_what_judges_several_tissues_is_refused(judge):
    with pytest.raises(RunError, match="val_seg: 0"):
        require_agreement(Brightness(), Brightness(0.3), cases(), POST, {"val_seg": judge}, probabilities=())
    same = require_agreement(Brightness(), Brightness(), cases(), POST, {"val_seg": judge}, probabilities=())
    assert same["metrics"]["val_seg"]["original"] > 0.4


def test_boxes_that_fit_worse_are_refused():
    def finds(x1):
        def network(image):
            return Brightness()(image) | {"det": torch.tensor([[6.0, 4.0, x1, 9.0, 0.9]])}

        return network

    metrics = {"val_det_iou": BoxIoU(), "val_det_ap": BoxAveragePrecision()}
    original = Brightness()
    original.forward = finds(12.0)
    result = require_agreement(original, finds(12.0), cases(), POST, metrics)
    assert {name: one["original"] for name, one in result["metrics"].items()} == {"val_det_iou": 1}
    with pytest.raises(RunError, match=r"val_det_iou: 1\.0000 before, 0\.9836 exported"):
        require_agreement(original, finds(12.1), cases(), POST, metrics)


def test_the_figure_of_breasts_does_not_judge_what_that_of_images_has_judged():
    breasts = BreastROCAUC("cls", [{"case_id": "another", "patient_id": "p", "laterality": "L"}])
    result = require_agreement(Brightness(), Brightness(), cases(), POST, {**METRICS, "val_cls_auc_breast": breasts})
    assert set(result["metrics"]) == {"val_seg_dice", "val_cls_auc"}


def test_both_run_as_the_inferer_runs_them():
    seen = []

    def halves(image, network):
        seen.append(network)
        parts = [network(part) for part in image.split(8, dim=2)]
        return {"seg": torch.cat([part["seg"] for part in parts], dim=2), "cls": parts[0]["cls"]}

    original, exported = Brightness(), Brightness()
    require_agreement(original, exported, cases(), POST, METRICS, inferer=halves)
    assert seen == [original, exported] * GATE_IMAGES


def test_a_change_of_auc_alone_is_refused():
    def upside_down(image):
        out = Brightness()(image)
        return {"seg": out["seg"], "cls": out["cls"].flip(1)}

    with pytest.raises(RunError) as raised:
        require_agreement(Brightness(), upside_down, cases(), POST, METRICS, probabilities=())
    assert "val_cls_auc: 1.0000 before, 0.0000 exported" in str(raised.value)
    assert "dice" not in str(raised.value)


def test_an_answer_of_nan_is_refused():
    with pytest.raises(RunError) as raised:
        require_agreement(Brightness(), Brightness(scale=math.nan), cases(), POST, METRICS)
    assert "largest change of a probability of an image: nan" in str(raised.value)
    assert "largest change of a probability of a pixel: nan" in str(raised.value)


def test_too_few_images_are_refused_before_anything_runs():
    with pytest.raises(DataError, match="59 images are too few") as raised:
        require_agreement(torch.nn.Identity(), None, cases(59), POST, METRICS)
    assert "expected: 60" in str(raised.value)


def test_images_that_leave_a_metric_undefined_are_refused():
    with pytest.raises(DataError, match="cannot judge") as raised:
        require_agreement(Brightness(), Brightness(), cases(60, lesions=False), POST, METRICS)
    assert "val_seg_dice: no annotated image holds a lesion" in str(raised.value)
    assert "val_cls_auc: one class only" in str(raised.value)


def test_without_dice_and_auc_nothing_judges():
    with pytest.raises(DataError, match="no metric judges"):
        require_agreement(Brightness(), Brightness(), cases(), POST, {"val_cls_accuracy": Accuracy("cls")})
