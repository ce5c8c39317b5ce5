"""Dice of several classes of lesions: by hand, against MONAI, and the same in a training as in a table."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric
from monai.networks.utils import one_hot

from monai_mtl.metrics import CaseScores, CaseTable, LesionClassDice, LesionDice
from monai_mtl.metrics.lesion_class_measures import class_dice, class_pixels, dice_by_class, dice_of_classes

CLASSES = 3


def masks(seed: int, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted masks; the first true one holds nothing, the second no class 2."""
    random = np.random.RandomState(seed)
    truth, prediction = random.randint(CLASSES, size=(2, count, 8, 9))
    truth[0] = 0
    truth[1][truth[1] == 2] = 1
    return truth, prediction


def table(truth, prediction) -> CaseTable:
    counts = [class_pixels(t, p, CLASSES) for t, p in zip(truth, prediction, strict=True)]
    return CaseTable([CaseScores(str(i), class_pixels=one) for i, one in enumerate(counts)])


@pytest.mark.parametrize("seed", range(5))
def test_it_is_monais_dice_of_each_class(seed):
    truth, prediction = masks(seed)
    monai = DiceMetric(include_background=False, ignore_empty=True)
    expected = monai(*(one_hot(torch.tensor(one[:, None]), CLASSES) for one in (prediction, truth))).numpy()
    counts = np.array([class_pixels(t, p, CLASSES) for t, p in zip(truth, prediction, strict=True)])
    np.testing.assert_allclose(class_dice(counts), expected, rtol=1e-6)
    by_class = dice_by_class(table(truth, prediction))
    assert [one.value for one in by_class] == pytest.approx(np.nanmean(expected, axis=0).tolist(), rel=1e-6)
    assert [one.n for one in by_class] == [4, 3]
    whole = dice_of_classes(table(truth, prediction))
    assert whole.value == pytest.approx(float(np.nanmean(expected, axis=0).mean()), rel=1e-6)
    assert whole.n == 4


def of_a_training(metric, truth, prediction) -> float:
    metric.reset()
    cases = zip(truth, prediction, strict=True)
    outputs = [{"pred": torch.tensor(p), "seg_target": torch.tensor(t)[None], "seg_annotated": True} for t, p in cases]
    metric.update([*outputs, {"pred": outputs[0]["pred"], "seg_target": outputs[-1]["seg_target"], "seg_annotated": 0}])
    return metric.compute()


def test_a_training_and_a_table_give_the_same():
    truth, prediction = masks(7)
    metric = LesionClassDice(CLASSES)
    value = of_a_training(metric, truth, prediction)
    assert value == pytest.approx(dice_of_classes(table(truth, prediction)).value)
    assert metric.detail == {"n": 4}


def test_with_one_class_of_lesions_it_is_the_dice_of_lesions():
    truth, prediction = (mask > 0 for mask in masks(3))
    both = [
        of_a_training(metric, truth.astype(int), prediction.astype(int))
        for metric in (LesionClassDice(2), LesionDice())
    ]
    assert both[0] == pytest.approx(both[1])


def test_a_class_that_no_image_holds_does_not_count():
    truth = np.zeros((1, 4, 4), int)
    truth[0, 0] = 1
    prediction = np.where(truth > 0, 1, 2)
    assert dice_of_classes(table(truth, prediction)).value == 1
    absent = dice_by_class(table(truth, prediction))[1]
    assert math.isnan(absent.value)
    assert (absent.n, absent.reason) == (0, "no annotated case holds one")
    assert of_a_training(LesionClassDice(CLASSES), truth, prediction) == 1


def test_without_a_lesion_or_a_mask_it_is_undefined_and_says_why():
    empty = table(np.zeros((1, 4, 4), int), np.ones((1, 4, 4), int))
    for cases in (empty, CaseTable([CaseScores("a")])):
        found = dice_of_classes(cases)
        assert math.isnan(found.value)
        assert (found.n, found.reason) == (0, "no annotated case holds a lesion")
    metric = LesionClassDice(CLASSES)
    assert math.isnan(of_a_training(metric, np.zeros((2, 4, 4), int), np.zeros((2, 4, 4), int)))
    assert metric.detail == {"n": 0, "reason": "no annotated image holds a lesion"}


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        class_pixels(np.zeros((2, 2)), np.zeros((2, 3)), CLASSES)


def test_a_table_that_was_written_is_read_again():
    truth, prediction = masks(1)
    before = table(truth, prediction)
    again = CaseTable.from_rows(before.rows())
    assert dice_of_classes(again) == dice_of_classes(before)
    assert "class_pixels" not in CaseScores("a").to_json()
