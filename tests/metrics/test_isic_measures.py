"""Figures of the ISIC challenge on fixtures, and scikit-learn's average precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from monai_mtl.metrics import ISIC, CaseScores, CaseTable, measure_all
from monai_mtl.metrics.isic_measures import average_precision


def test_masks_are_means_over_images():
    table = CaseTable(
        [
            CaseScores("a", tp=30, fp=10, fn=10, tn=50, lesions=1),
            CaseScores("b", tp=90, fp=0, fn=10, tn=0, lesions=1),
            CaseScores("c", probability=0.7, label=1),
            CaseScores("d", tp=0, fp=0, fn=0, tn=100, lesions=0, probability=0.4, label=0),
        ]
    )
    found = {name: entry["value"] for name, entry in measure_all(table, ISIC, draws=0).items()}
    assert found["jaccard"] == pytest.approx((0.6 + 0.9) / 2)
    assert found["jaccard_thresholded"] == pytest.approx(0.9 / 2)
    assert found["dice"] == pytest.approx((60 / 80 + 180 / 190) / 2)
    assert found["pixel_accuracy"] == pytest.approx((0.8 + 0.9 + 1) / 3)
    assert found["pixel_sensitivity"] == pytest.approx((0.75 + 0.9) / 2)
    assert found["pixel_specificity"] == pytest.approx((50 / 60 + 1) / 2)
    for name in ("accuracy", "average_precision", "auc", "recall", "specificity"):
        assert found[name] == 1


@pytest.mark.parametrize("digits", [1, 6])
def test_average_precision_is_scikit_learns_with_ties(digits):
    random = np.random.RandomState(0)
    for _ in range(30):
        y, p = random.randint(0, 2, 40), random.rand(40).round(digits)
        assert average_precision(y, p) == pytest.approx(average_precision_score(y, p))


def test_nothing_annotated_is_undefined_with_a_reason():
    for name, entry in measure_all(CaseTable([CaseScores("a")]), ISIC, draws=0).items():
        assert math.isnan(entry["value"]), name
        assert entry["reason"], name
