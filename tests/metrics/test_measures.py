"""The paper's rules as its code has them, clean ones against other libraries, intervals by patient."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage
from scipy.stats import norm
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from monai_mtl.metrics import (
    ACSNET_PAPER,
    CLEAN,
    HDS_PAPER,
    CaseScores,
    CaseTable,
    Measure,
    Measured,
    calibration_bins,
    froc_curve,
    measure_all,
    paired_difference,
    score_case,
)


def mask(*blobs: tuple[int, int, int, int], shape: tuple[int, int] = (40, 30)) -> np.ndarray:
    drawn = np.zeros(shape, np.uint8)
    for top, bottom, left, right in blobs:
        drawn[top:bottom, left:right] = 1
    return drawn


BLOB, OTHER = (5, 12, 5, 15), (25, 30, 20, 28)


def value(name: str, *cases: CaseScores, measures=CLEAN) -> float:
    return measures[name].compute(CaseTable(cases)).value


def scored(truth: np.ndarray, prediction: np.ndarray, **more) -> CaseScores:
    return score_case("a", truth=truth, prediction=prediction, **more)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        (mask(), mask(), {"dsc": 1.0, "se": 1.0, "spec": 1.0, "fpi": 0.0}),
        (mask(), mask(BLOB), {"dsc": 1e-6 / (70 + 1e-6), "se": 1.0, "spec": (1130 + 1e-6) / (1200 + 1e-6), "fpi": 1.0}),
        (mask(), mask((0, 3, 0, 3), (3, 6, 3, 6)), {"fpi": 1.0}),  # touching at a corner is one component
        (mask(BLOB), mask(), {"dsc": 1e-6 / (70 + 1e-6), "se": 1e-6 / (70 + 1e-6), "fpi": 0.0}),
        (mask(BLOB), mask(BLOB, OTHER), {"dsc": 140 / 180, "se": 1.0, "fpi": 1.0}),
        (mask(BLOB, OTHER), mask((5, 12, 5, 10)), {"dsc": 70 / 145, "se": 35 / 110, "fpi": 0.0}),
    ],
)
def test_the_papers_rules_on_fixtures(truth, prediction, expected):
    for name, wanted in expected.items():
        assert value(name, scored(truth, prediction), measures=HDS_PAPER) == pytest.approx(wanted, abs=1e-8), name


def test_the_papers_mean_flatters_where_most_images_hold_nothing():
    cases = [scored(mask(BLOB), mask(OTHER)), *[scored(mask(), mask())] * 9]
    assert value("dsc", *cases, measures=HDS_PAPER) == pytest.approx(0.9, abs=1e-6)
    assert value("se", *cases, measures=HDS_PAPER) == pytest.approx(0.9, abs=1e-6)
    assert value("dice_lesion", *cases) == 0.0
    assert CLEAN["dice_lesion"].compute(CaseTable(cases)).n == 1


def random_cases(n: int = 60, seed: int = 0) -> list[CaseScores]:
    random = np.random.RandomState(seed)
    cases = []
    for i in range(n):
        label = int(random.rand() > 0.6)
        truth = (random.rand(24, 20) > 0.93).astype(np.uint8) * label
        chance = np.clip(0.6 * truth + 0.55 * random.rand(24, 20), 0, 1)
        p = float(np.clip(0.3 * label + 0.7 * random.rand(), 0, 1))
        more = {"lesion_probability": chance, "probability": p, "label_cls": label}
        cases.append(score_case(f"c{i}", f"p{i // 2}", truth, chance > 0.5, **more))
    return cases


def test_pixel_figures_against_scikit_learn():
    random = np.random.RandomState(1)
    pairs = [(random.rand(30, 20) > 0.7, random.rand(30, 20) > 0.6) for _ in range(8)]
    cases = [scored(*pair) for pair in pairs]
    dice = [f1_score(truth.ravel(), found.ravel()) for truth, found in pairs]
    jaccard = [jaccard_score(truth.ravel(), found.ravel()) for truth, found in pairs]
    assert value("dice_lesion", *cases) == pytest.approx(np.mean(dice), rel=1e-12)
    assert np.allclose(dice, 2 * np.array(jaccard) / (1 + np.array(jaccard)))
    recall = [recall_score(truth.ravel(), found.ravel()) for truth, found in pairs]
    assert value("pixel_sensitivity", *cases) == pytest.approx(np.mean(recall), rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy")
def test_distance_of_outlines_against_monai():
    generator = np.random.default_rng(3)
    for _ in range(10):
        truth, found = (ndimage.gaussian_filter(generator.random((40, 30)), 3) > 0.5 for _ in range(2))
        masks = (torch.from_numpy(one)[None, None] for one in (found, truth))
        wanted = float(compute_hausdorff_distance(*masks, include_background=True, percentile=95))
        assert value("hd95", scored(truth, found)) == pytest.approx(wanted, rel=1e-5)


def test_distance_of_outlines_where_a_mask_is_empty():
    """The image's diagonal is the penalty of finding nothing; the paper rewards it with the best value."""
    missed, clear, wrong = scored(mask(BLOB), mask()), scored(mask(), mask()), scored(mask(), mask(BLOB))
    assert value("hd95", missed, clear, wrong) == 50.0  # 40 x 30
    assert math.isnan(value("hd95", clear, wrong))
    assert value("hd95", missed, clear, wrong, measures=ACSNET_PAPER) == 0.0
    assert value("hd95", scored(mask(BLOB), mask(BLOB)), clear, measures=ACSNET_PAPER) == 0.0
    shifted = scored(mask(BLOB), mask((8, 15, 5, 15)))
    assert value("hd95", shifted) == 3.0
    assert value("hd95", shifted, clear, missed, measures=ACSNET_PAPER) == 1.0


def test_lesions_and_components_against_scipy():
    random = np.random.RandomState(2)
    eight = np.ones((3, 3))
    cases, found, total, false = [], 0, 0, []
    for _ in range(20):
        truth, prediction = random.rand(2, 40, 30) > 0.97
        lesions, count = ndimage.label(truth, eight)
        total += count
        found += sum(prediction[lesions == i].any() for i in range(1, count + 1))
        parts, count = ndimage.label(prediction, eight)
        false.append(sum(not truth[parts == i].any() for i in range(1, count + 1)))
        cases.append(scored(truth, prediction))
    assert value("lesion_sensitivity", *cases) == pytest.approx(found / total)
    assert value("false_per_image", *cases) == pytest.approx(np.mean(false))
    assert value("fpi", *cases, measures=HDS_PAPER) == pytest.approx(np.mean(false))


def test_image_figures_against_scikit_learn():
    cases = random_cases()
    y, p = np.array([c.label for c in cases]), np.array([c.probability for c in cases])
    expected = {
        "accuracy": accuracy_score(y, p > 0.5),
        "f1": f1_score(y, p > 0.5),
        "precision": precision_score(y, p > 0.5),
        "recall": recall_score(y, p > 0.5),
        "specificity": recall_score(1 - y, p <= 0.5),
        "auc": roc_auc_score(y, p),
        "brier": brier_score_loss(y, p),
    }
    for name, wanted in expected.items():
        assert value(name, *cases) == pytest.approx(wanted, rel=1e-12), name
    for name in ("accuracy", "f1", "precision", "recall", "auc"):
        assert value(name, *cases, measures=HDS_PAPER) == pytest.approx(expected[name], rel=1e-12), name


@pytest.mark.parametrize("called", ["some", "none", "all", "one class"])
def test_the_acsnet_papers_class_rules_equal_scikit_learns(called):
    random = np.random.default_rng(3)
    y, p = random.integers(0, 2, 50), random.random(50)
    y, p = (np.zeros(50, int) if called == "one class" else y), {"none": 0 * p, "all": 0 * p + 1}.get(called, p)
    cases = [CaseScores(f"c{i}", probability=float(p[i]), label=float(y[i])) for i in range(50)]
    expected = {
        "accuracy": accuracy_score(y, p > 0.5),
        "precision_weighted": precision_score(y, p > 0.5, average="weighted", zero_division=0),
        "recall_macro": recall_score(y, p > 0.5, average="macro", zero_division=0),
        "f1_weighted": f1_score(y, p > 0.5, average="weighted", zero_division=0),
    }
    for name, wanted in expected.items():
        assert value(name, *cases, measures=ACSNET_PAPER) == pytest.approx(wanted, rel=1e-12), name


def test_the_acsnet_papers_mask_rules_on_fixtures():
    half = scored(mask(BLOB), mask((5, 12, 5, 10)))  # 35 of 70 pixels
    assert value("jaccard", half, measures=ACSNET_PAPER) == pytest.approx(0.5, abs=1e-6)
    assert value("dice", half, measures=ACSNET_PAPER) == pytest.approx(2 / 3, abs=1e-6)
    assert value("dice", half, scored(mask(), mask()), measures=ACSNET_PAPER) == pytest.approx(1 / 3, abs=1e-6)


def test_calibration():
    sure = [CaseScores(f"c{i}", probability=1.0, label=1.0) for i in range(4)]
    assert value("calibration_error", *sure) == 0.0
    half = [CaseScores(f"c{i}", probability=0.25, label=float(i % 2)) for i in range(8)]
    assert value("calibration_error", *half) == pytest.approx(0.25)
    assert calibration_bins(CaseTable([*sure, *half])) == [
        {"n": 8, "probability": 0.25, "share": 0.5},
        {"n": 4, "probability": 1.0, "share": 1.0},
    ]


def test_free_response_curve_on_a_fixture():
    """Two images, three lesions: peaks 0.9 and 0.6 hit, one lesion is missed, false peaks 0.8 and 0.3."""
    chance = np.zeros((40, 30))
    chance[8, 8], chance[27, 24], chance[36, 2] = 0.9, 0.8, 0.3
    first = scored(mask(BLOB), chance > 0.5, lesion_probability=chance)
    assert first.hits == [0.9]
    assert sorted(first.false_peaks) == [0.3, 0.8]
    chance = np.zeros((40, 30))
    chance[26, 22] = 0.6
    second = scored(mask(BLOB, OTHER), chance > 0.5, lesion_probability=chance)
    assert second.hits == [0.0, 0.6]
    per_image, sensitivity = froc_curve(CaseTable([first, second]))
    points = {(round(x, 6), round(y, 6)) for x, y in zip(per_image, sensitivity, strict=True)}
    assert points == {(0, 0), (0, 0.333333), (0.5, 0.333333), (0.5, 0.666667), (1.0, 0.666667)}
    # 0.25: on the line between (0, 1/3) and (0.5, ...); from 1 on two of three lesions.
    assert value("froc", first, second) == pytest.approx(
        np.interp([0.25, 0.5, 1, 2, 4], per_image[::-1], sensitivity[::-1]).mean()
    )
    perfect = scored(mask(BLOB), mask(BLOB), lesion_probability=mask(BLOB).astype(float))
    assert value("froc", perfect) == 1.0
    with pytest.raises(ValueError, match="no annotated case holds a lesion"):
        froc_curve(CaseTable([scored(mask(), mask())]))


def test_undefined_is_nan_with_a_reason():
    nothing = CaseTable([CaseScores("a")])
    for name, measured in measure_all(nothing, {**HDS_PAPER, **ACSNET_PAPER, **CLEAN}, draws=5).items():
        assert math.isnan(measured["value"]), name
        assert measured["reason"], name
        assert math.isnan(measured["low"])
    negative = CaseTable([scored(mask(), mask(), probability=0.2, label_cls=0)] * 3)
    found = measure_all(negative, CLEAN, draws=5)
    assert found["auc"]["reason"] == "one class only: 0 positive and 3 negative"
    assert found["recall"]["reason"] == "no positive case"
    assert found["precision"]["reason"] == "no case is predicted positive"
    assert found["f1"]["reason"] == "no positive case, true or predicted"
    assert found["dice_lesion"]["reason"] == "no annotated case holds a lesion"
    assert found["lesion_sensitivity"]["reason"] == "no annotated case holds a lesion"
    assert found["froc"]["reason"] == "no annotated case holds a lesion"
    assert found["specificity"]["value"] == found["accuracy"]["value"] == 1.0
    assert measure_all(negative, HDS_PAPER, draws=0)["auc"]["value"] == 1.0  # the paper's rule
    positive = CaseTable([scored(mask(BLOB), mask(), probability=0.2, label_cls=1)])
    assert measure_all(positive, CLEAN, draws=0)["specificity"]["reason"] == "no negative case"
    assert measure_all(positive, CLEAN, draws=0)["false_per_empty_image"]["reason"].startswith("every")


def test_cases_without_a_label_do_not_count():
    labelled = random_cases(20)
    bare = [CaseScores("x", probability=0.9), CaseScores("y")]
    with_them, without = (measure_all(CaseTable(c), CLEAN, draws=0) for c in (labelled + bare, labelled))
    assert with_them == without


def test_scores_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        score_case("a", truth=mask(), prediction=mask(shape=(30, 40)))
    with pytest.raises(ValueError, match="differ in shape"):
        score_case("a", truth=mask())
    with pytest.raises(ValueError, match="probability of a is not finite"):
        score_case("a", label_cls=1)
    with pytest.raises(ValueError, match="probability map of a"):
        scored(mask(), mask(), lesion_probability=np.full((40, 30), np.nan))


def test_interval_of_a_mean_is_that_of_theory_and_follows_patients():
    random = np.random.RandomState(3)
    truth = mask(BLOB)
    areas = random.randint(0, 71, 80)
    cases = []
    for i, area in enumerate(areas):
        prediction = np.zeros_like(truth)
        prediction[truth > 0] = np.arange(70) < area
        cases.append(score_case(f"c{i}", f"p{i}", truth, prediction))
    measures = {"pixel_sensitivity": CLEAN["pixel_sensitivity"]}
    found = measure_all(CaseTable(cases), measures, draws=2000)["pixel_sensitivity"]
    values = areas / 70
    half = norm.ppf(0.975) * values.std() / math.sqrt(len(values))
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(values.mean() - half, abs=0.01)
    assert found["high"] == pytest.approx(values.mean() + half, abs=0.01)
    # Four copies of each patient hold no more information than one.
    copies = [CaseScores(**{**vars(c), "case_id": f"{c.case_id}-{k}"}) for c in cases for k in range(4)]
    again = measure_all(CaseTable(copies), measures, draws=2000)["pixel_sensitivity"]
    assert again["high"] - again["low"] == pytest.approx(found["high"] - found["low"], rel=0.1)
    assert measure_all(CaseTable(cases), measures, draws=50) == measure_all(CaseTable(cases), measures, draws=50)


def test_difference_of_a_model_with_itself_and_with_a_better_one():
    cases = random_cases()
    table = CaseTable(cases)
    shuffled = CaseTable([cases[i] for i in np.random.RandomState(0).permutation(len(cases))])
    same = paired_difference(table, shuffled, CLEAN, draws=20)
    assert all(entry["value"] == entry["low"] == entry["high"] == 0 for entry in same.values())
    better = CaseTable([CaseScores(**{**vars(c), "probability": c.label}) for c in cases])
    found = paired_difference(table, better, {"auc": CLEAN["auc"]}, draws=200)["auc"]
    assert found["value"] == pytest.approx(1 - CLEAN["auc"].compute(table).value)
    assert 0 < found["low"] < found["value"] < found["high"]
    with pytest.raises(ValueError, match="different cases"):
        paired_difference(table, CaseTable(cases[1:]), CLEAN)
    none = paired_difference(CaseTable([CaseScores("a")]), CaseTable([CaseScores("a")]), {"auc": CLEAN["auc"]})
    assert none["auc"]["reason"] == "no case has a label"


def test_an_interval_that_most_draws_cannot_give_is_not_given():
    def compute(table: CaseTable) -> Measured:
        seen = set(table.case_id)
        return Measured(1.0, 3) if len(seen) == 3 else Measured(math.nan, 3, "someone is missing")

    table = CaseTable([CaseScores(name, name) for name in "abc"])
    found = measure_all(table, {"all": Measure(compute, "needs everyone")}, draws=100)["all"]
    assert found["value"] == 1.0
    assert math.isnan(found["low"])
    assert re.fullmatch(r"no interval: undefined in [6-9]\d of 100 draws", found["reason"])  # expected: 78


def test_scores_go_through_json_without_the_patient():
    cases = [*random_cases(4), CaseScores("bare")]
    text = json.dumps([case.to_json() for case in cases])
    assert "patient" not in text
    with pytest.raises(AttributeError, match="no column recall"):
        _ = CaseTable(cases).recall
    again = CaseTable.from_rows(json.loads(text))
    np.testing.assert_equal(measure_all(again, CLEAN, draws=0), measure_all(CaseTable(cases), CLEAN, draws=0))
