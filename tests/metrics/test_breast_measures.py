"""The ROC curve of breasts against scikit-learn on the maxima of sorted groups; undefined with a reason."""

from __future__ import annotations

import json
import math
from itertools import groupby

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_mtl.errors import DataError
from monai_mtl.metrics import BREASTS, BreastROCAUC, CaseScores, CaseTable, measure_all, paired_difference
from monai_mtl.metrics.breast_measures import NO_SIDE

from .test_metrics import evaluate


def mammograms(patients: int = 20, seed: int = 0) -> list[CaseScores]:
    """Two breasts a patient with one to four views each, some of them cancers; the first has an image of no side."""
    random = np.random.RandomState(seed)
    cases = [CaseScores("0?", "p0", probability=0.99, label=0.0)]
    for patient in range(patients):
        for side in "LR":
            label = float(random.rand() > 0.6)
            for view in range(random.randint(1, 5)):
                chance = float(np.clip(random.normal(0.4 + 0.15 * label, 0.2), 0, 1).round(2))
                name = f"{patient}{side}{view}"
                cases.append(CaseScores(name, f"p{patient}", probability=chance, label=label, laterality=side))
    return cases


def oracle(cases: list[CaseScores]) -> float:
    def breast(case: CaseScores) -> tuple[str, str]:
        return (case.patient_id, case.laterality) if case.patient_id and case.laterality else ("", case.case_id)

    known = sorted((case for case in cases if not math.isnan(case.label)), key=breast)
    groups = [list(group) for _, group in groupby(known, breast)]
    labels, chances = ([max(getattr(c, name) for c in group) for group in groups] for name in ("label", "probability"))
    return float(roc_auc_score(labels, chances))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_area_of_the_largest_probabilities(seed):
    cases = mammograms(seed=seed)
    cases.append(CaseScores("unknown", "p0", probability=1.0, laterality="L"))  # no label: it says nothing
    found = {name: measure.compute(CaseTable(cases)) for name, measure in BREASTS.items()}
    assert found["auc_breast"].value == pytest.approx(oracle(cases))
    assert found["auc_breast"].n == 41
    labels, chances = zip(*((case.label, case.probability) for case in cases[:-1]), strict=True)
    assert found["auc_image"].value == pytest.approx(roc_auc_score(labels, chances))
    assert found["auc_image"].n == len(cases) - 1


def test_one_suspicious_view_is_enough_and_one_malignant_view_makes_the_breast_so():
    sick = [CaseScores("a", "p", probability=0.1, label=0.0, laterality="L")]
    sick.append(CaseScores("b", "p", probability=0.9, label=1.0, laterality="L"))
    well = [CaseScores(name, "p", probability=0.8, label=0.0, laterality="R") for name in "cd"]
    found = BREASTS["auc_breast"].compute(CaseTable(sick + well))
    assert (found.value, found.n) == (1.0, 2)


def test_one_view_a_breast_is_the_area_of_the_images():
    cases = [case for case in mammograms() if case.case_id.endswith("0")]
    figures = measure_all(CaseTable(cases), BREASTS, draws=50)
    assert figures["auc_breast"] == figures["auc_image"]


def test_a_patient_drawn_twice_has_four_breasts():
    table = CaseTable(mammograms())
    twice = [row for group in table.groups for row in [*group, *group]]
    once, double = (BREASTS["auc_breast"].compute(one) for one in (table, table.take(twice)))
    assert double.n == 2 * once.n
    assert double.value == pytest.approx(once.value)
    figure = measure_all(table, BREASTS, draws=200)["auc_breast"]
    assert figure["low"] < figure["value"] < figure["high"]


def test_the_side_goes_through_json_and_the_patient_does_not():
    cases = mammograms()
    rows = json.loads(json.dumps([case.to_json() for case in cases]))
    assert not any("patient_id" in row for row in rows)
    assert ["laterality" in row for row in rows] == [bool(case.laterality) for case in cases]
    numbered = [row | {"patient_id": case.patient_id[1:]} for row, case in zip(rows, cases, strict=True)]
    again = CaseTable.from_rows(numbered)
    assert BREASTS["auc_breast"].compute(again).value == pytest.approx(oracle(cases))
    difference = paired_difference(again, CaseTable(cases), BREASTS, draws=20)["auc_breast"]
    assert (difference["value"], difference["low"], difference["high"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("cases", "n", "reason"),
    [
        ([], 0, "no case has a label"),
        ([CaseScores("a", "p", probability=0.5, laterality="L")], 0, "no case has a label"),
        ([CaseScores("a", "p", probability=0.5, label=1.0)], 0, NO_SIDE),
        ([CaseScores("a", "", probability=0.5, label=1.0, laterality="L")], 0, NO_SIDE),
        (
            [CaseScores(a, "p", probability=0.5, label=float(a == "a"), laterality="L") for a in "ab"],
            1,
            "one class only: 1 positive and 0 negative",
        ),
    ],
)
def test_undefined_is_nan_with_its_reason(cases, n, reason):
    found = BREASTS["auc_breast"].compute(CaseTable(cases))
    assert math.isnan(found.value)
    assert (found.n, found.reason) == (n, reason)


def batches_of(cases: list[CaseScores]) -> list[list[dict]]:
    outputs = [
        {
            "case_id": case.case_id,
            "cls": torch.tensor([1 - case.probability, case.probability], dtype=torch.float64),
            "cls_target": 0 if math.isnan(case.label) else int(case.label),
            "cls_annotated": not math.isnan(case.label),
        }
        for case in cases
    ]
    return [outputs[:7], outputs[7:]]


def test_the_metric_of_a_training_is_the_same_number():
    cases = [*mammograms(), CaseScores("unknown", "p1", probability=1.0, laterality="R")]
    metric = BreastROCAUC("cls", [vars(case) for case in reversed(cases)])
    value, detail = evaluate(metric, batches_of(cases))
    assert value == pytest.approx(oracle(cases))
    assert detail == {"n": 41}


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ([CaseScores("a", "p", probability=0.5, label=1.0)], NO_SIDE),
        (
            [CaseScores(a, "p", probability=0.5, label=float(a == "a"), laterality="L") for a in "ab"],
            "one class only: 1 positive and 0 negative breasts",
        ),
        (
            [CaseScores(a, "p", probability=math.nan, label=float(a == "L"), laterality=a) for a in "LR"],
            "a probability is not finite",
        ),
    ],
)
def test_the_metric_is_undefined_with_its_reason(cases, reason):
    value, detail = evaluate(BreastROCAUC("cls", [vars(case) for case in cases]), batches_of(cases)[:1])
    assert math.isnan(value)
    assert detail["reason"] == reason


def test_cases_of_monai_label_which_have_no_names_leave_the_metric_undefined():
    cases = [{key: value for key, value in case.items() if key != "case_id"} for case in batches_of(mammograms(2))[0]]
    value, detail = evaluate(BreastROCAUC("cls", [{"image": "a.png", "label": "b.png"}]), [cases[:3], cases[3:]])
    assert math.isnan(value)
    assert detail["reason"] == NO_SIDE


def test_a_case_that_the_metric_was_not_given_is_refused():
    cases = mammograms(2)
    with pytest.raises(DataError, match="knows no breast") as error:
        evaluate(BreastROCAUC("cls", [vars(case) for case in cases[1:]]), batches_of(cases))
    assert error.value.where == ["0?"]
