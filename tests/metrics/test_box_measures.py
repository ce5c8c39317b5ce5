"""Figures of boxes from a table of cases: the metrics', which are MONAI's, and undefined with a reason."""

from __future__ import annotations

import json
import math

import pytest

from monai_mtl.metrics import BoxAveragePrecision, BoxIoU, CaseScores, CaseTable, measure_all
from monai_mtl.metrics.box_measures import BOXES

from .test_detection import case, random_cases, value


def scored(cases) -> list[CaseScores]:
    rows = [BoxIoU().row(one["det"], one["seg_target"]) for one in cases]
    return [CaseScores(f"c{i}", box=row) for i, row in enumerate(rows)]


def test_they_are_the_metrics_over_the_annotated_cases():
    cases = [*random_cases(30), case((3, 3, 9, 9), 0.95)]  # the last is a false alarm
    found = measure_all(CaseTable([*scored(cases), CaseScores("nobody looked")]), BOXES, draws=20)
    for name, metric in (("box_iou", BoxIoU()), ("box_average_precision", BoxAveragePrecision(threshold=0.5))):
        assert found[name]["value"] == pytest.approx(value(metric, cases))
        assert found[name]["n"] == 30
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    without = measure_all(CaseTable(scored(cases[:-1])), BOXES, draws=0)
    assert found["box_iou"]["value"] == pytest.approx(without["box_iou"]["value"])
    assert found["box_average_precision"]["value"] < without["box_average_precision"]["value"]


def test_scores_keep_them_in_json_where_there_are_any():
    cases = scored(random_cases(5))
    again = CaseTable.from_rows(json.loads(json.dumps([one.to_json() for one in cases])))
    ours = CaseTable(cases)
    assert measure_all(again, BOXES, draws=0) == measure_all(ours, BOXES, draws=0)
    assert "box" not in CaseScores("a").to_json()


@pytest.mark.parametrize("cases", [[CaseScores("a")], [CaseScores("a", box=(0.9, 0.0, 0.0))]])
def test_without_a_lesion_they_are_undefined(cases):
    for entry in measure_all(CaseTable(cases), BOXES, draws=0).values():
        assert math.isnan(entry["value"])
        assert (entry["n"], entry["reason"]) == (0, "no annotated image holds a lesion")
