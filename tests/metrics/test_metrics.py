"""Metrics against scikit-learn and closed forms; undefined with a reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from monai_mtl.metrics import ROCAUC, Accuracy, LesionDice, nan_is_worst


def evaluate(metric, batches) -> tuple[float, dict]:
    engine = Engine(lambda _, batch: batch)
    metric.attach(engine, "m")
    engine.state.metric_details = {}
    engine.run(batches)
    return engine.state.metrics["m"], engine.state.metric_details["m"]


def seg_case(prediction: np.ndarray, truth: np.ndarray, annotated: bool = True) -> dict:
    return {
        "pred": torch.from_numpy(prediction.astype(np.uint8)),
        "seg_target": torch.from_numpy(truth[None].astype(np.uint8)),
        "seg_annotated": annotated,
    }


def cls_case(p: float, label: int, annotated: bool = True) -> dict:
    return {"cls": torch.tensor([1 - p, p]), "cls_target": label, "cls_annotated": annotated}


def test_dice_is_the_mean_over_images_with_a_lesion():
    random = np.random.RandomState(0)
    pairs = [(random.rand(16, 12) > 0.5, random.rand(16, 12) > 0.7) for _ in range(5)]
    empty = np.zeros((16, 12), bool)
    cases = [seg_case(*pair) for pair in pairs] + [seg_case(pairs[0][0], empty), seg_case(empty, empty)]
    cases.append(seg_case(empty, pairs[0][1], annotated=False))
    value, detail = evaluate(LesionDice(), [cases[:3], cases[3:]])
    assert value == pytest.approx(np.mean([f1_score(t.ravel(), p.ravel()) for p, t in pairs]), abs=1e-6)
    assert detail == {"n": 5}


@pytest.mark.parametrize(("prediction", "expected"), [(True, 1.0), (False, 0.0)])
def test_dice_of_all_and_nothing(prediction, expected):
    truth = np.ones((4, 4), bool)
    assert evaluate(LesionDice(), [[seg_case(np.full((4, 4), prediction), truth)]])[0] == expected


def test_accuracy_and_auc_equal_scikit_learn():
    random = np.random.RandomState(0)
    labels, scores = random.randint(0, 2, 40), random.rand(40).round(1)
    cases = [cls_case(float(s), int(y)) for s, y in zip(scores, labels, strict=True)] + [cls_case(1.0, 0, False)]
    assert evaluate(ROCAUC("cls"), [cases])[0] == pytest.approx(roc_auc_score(labels, scores))
    value, detail = evaluate(Accuracy("cls"), [cases])
    # float32 0.5 stays at 0.5: not above it
    assert value == pytest.approx(accuracy_score(labels, scores > 0.5))
    assert detail == {"n": 40}


@pytest.mark.parametrize(
    ("metric", "cases", "reason"),
    [
        (LesionDice(), [seg_case(np.ones((2, 2)), np.zeros((2, 2)))], "no annotated image holds a lesion"),
        (Accuracy("cls"), [cls_case(0.5, 1, annotated=False)], "no annotated image"),
        (Accuracy("cls"), [cls_case(math.nan, 1)], "a probability is not finite"),
        (ROCAUC("cls"), [cls_case(0.5, 1)], "one class only: 1 positive and 0 negative images"),
        (ROCAUC("cls"), [cls_case(math.nan, 1), cls_case(0.1, 0)], "a probability is not finite"),
    ],
)
def test_undefined_is_nan_with_its_reason(metric, cases, reason, caplog):
    value, detail = evaluate(metric, [cases])
    assert math.isnan(value)
    assert detail["reason"] == reason
    assert f"m is undefined: {reason}" in caplog.text


def test_nan_is_worse_than_any_number_and_ties_are_later():
    nan = math.nan
    better = [nan_is_worst(*pair) for pair in ((0.5, nan), (0.5, 0.5), (0.6, 0.5), (nan, nan))]
    worse = [nan_is_worst(*pair) for pair in ((nan, 0.5), (0.4, 0.5))]
    assert better == [True] * 4
    assert worse == [False] * 2
