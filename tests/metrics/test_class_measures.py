"""Figures of several classes against scikit-learn and against numbers worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score, recall_score, roc_auc_score

from monai_mtl.metrics import (
    CLEAN_CLASSES,
    MEASURE_SETS,
    YNET_PAPER,
    CaseTable,
    MeanIoU,
    PixelAccuracy,
    measure_all,
    score_classes,
)
from monai_mtl.metrics.class_scores import confusion_table


def cases(count: int = 12, classes: int = 4) -> tuple[CaseTable, dict[str, np.ndarray]]:
    random = np.random.RandomState(0)
    truth = random.randint(0, classes - 1, (count, 6, 5))  # the last class never occurs
    guess = np.where(random.rand(*truth.shape) < 0.7, truth, random.randint(0, classes, truth.shape))
    chances, labels = random.dirichlet(np.ones(3), count), np.arange(count) % 3
    rows = [
        score_classes(f"{i}", "", t, g, classes, p, float(y))
        for i, (t, g, p, y) in enumerate(zip(truth, guess, chances, labels, strict=True))
    ]
    return CaseTable(rows), {"truth": truth, "guess": guess, "chances": chances, "labels": labels}


def test_clean_figures_equal_scikit_learns():
    table, made = cases()
    found = {name: one["value"] for name, one in measure_all(table, CLEAN_CLASSES, draws=0).items()}
    truth, guess, labels, chances = made["truth"].ravel(), made["guess"].ravel(), made["labels"], made["chances"]
    assert found["miou"] == pytest.approx(jaccard_score(truth, guess, labels=[0, 1, 2], average="macro"))
    assert found["pixel_accuracy"] == pytest.approx(accuracy_score(truth, guess))
    assert found["pixel_recall_macro"] == pytest.approx(recall_score(truth, guess, labels=[0, 1, 2], average="macro"))
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, chances.argmax(1)))
    assert found["recall_macro"] == pytest.approx(
        recall_score(labels, chances.argmax(1), labels=np.unique(labels), average="macro")
    )
    assert found["auc_macro"] == pytest.approx(roc_auc_score(labels, chances, multi_class="ovr"))
    assert found["brier"] == pytest.approx(np.square(chances - np.eye(3)[labels]).sum(1).mean())


def test_the_papers_rules_divide_by_one_batch_more_and_count_absent_classes_as_zero():
    """Perfect masks that show 2 of 4 classes: 1.0 by clean rules."""
    truth = np.array([[0, 1], [1, 1]])
    for count, batches in ((3, 1), (10, 1), (11, 2), (25, 3)):
        rows = [score_classes(str(i), "", truth, truth, 4) for i in range(count)]
        paper = measure_all(CaseTable(rows), YNET_PAPER, draws=0)
        share = batches / (batches + 1)
        assert paper["overall_accuracy"]["value"] == pytest.approx(share)
        assert paper["class_accuracy"]["value"] == pytest.approx(share * 0.5)
        assert paper["miou"]["value"] == pytest.approx(share * 0.5)
        assert math.isnan(paper["accuracy"]["value"])
        assert paper["accuracy"]["reason"] == "no case has a label"
        assert measure_all(CaseTable(rows), CLEAN_CLASSES, draws=0)["miou"]["value"] == 1.0


def test_tables_come_back_from_json_and_unannotated_cases_do_not_count():
    rows = [
        score_classes("a", "p", np.array([0, 1]), np.array([0, 0]), 2, [0.5, 0.5], 1.0),
        score_classes("b", "p", None, None, 2, [0.1, 0.9]),
    ]
    again = CaseTable.from_rows(json.loads(json.dumps([row.to_json() for row in rows])))
    for kind in ("ynet_paper", "clean_classes"):
        figures = [measure_all(t, MEASURE_SETS[kind], draws=0) for t in (CaseTable(rows), again)]
        assert str(figures[0]) == str(figures[1])
        assert figures[0]["miou"]["n"] == figures[0]["accuracy"]["n"] == 1
    empty = measure_all(CaseTable([rows[1]]), CLEAN_CLASSES, draws=0)
    assert {one["reason"] for one in empty.values()} == {"no case has an annotated mask", "no case has a label"}


def test_faults_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        confusion_table(np.zeros((2, 2)), np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match=r"not in 0\.\.1"):
        confusion_table(np.array([2]), np.array([0]), 2)
    with pytest.raises(ValueError, match="not finite"):
        score_classes("a", probabilities=[math.nan, 0.5], label_cls=1.0)
    with pytest.raises(ValueError, match="not finite"):
        score_classes("a", label_cls=1.0)


def test_validation_metrics_pool_the_pixels_of_all_images():
    _, made = cases()
    for metric, wanted in (
        (MeanIoU(4), jaccard_score(made["truth"].ravel(), made["guess"].ravel(), labels=[0, 1, 2], average="macro")),
        (PixelAccuracy(4), accuracy_score(made["truth"].ravel(), made["guess"].ravel())),
    ):
        for truth, guess in zip(made["truth"], made["guess"], strict=True):
            case = {"pred": torch.as_tensor(guess), "seg_target": torch.as_tensor(truth)[None]}
            metric.update([case | {"seg_annotated": True}, case | {"seg_annotated": False}])
        assert metric.compute() == pytest.approx(wanted)
        metric.reset()
        assert math.isnan(metric.compute())
        assert metric.detail["reason"] == "no annotated image"
