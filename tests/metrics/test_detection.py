"""Overlap and average precision of boxes: by hand, and MONAI's COCO metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.apps.detection.metrics.coco import COCOMetric
from monai.apps.detection.metrics.matching import matching_batch
from monai.data.box_utils import box_iou

from monai_mtl.metrics import BoxAveragePrecision, BoxIoU


def case(box, score, mask_box=None, annotated=True) -> dict:
    mask = torch.zeros(1, 40, 50, dtype=torch.uint8)
    if mask_box is not None:
        x0, y0, x1, y1 = mask_box
        mask[0, y0:y1, x0:x1] = 1
    return {"det": torch.tensor([*box, score], dtype=torch.float32), "seg_target": mask, "seg_annotated": annotated}


def value(metric, cases):
    metric.reset()
    metric.update(cases)
    return metric.compute()


def random_cases(count: int) -> list[dict]:
    random = np.random.RandomState(count)
    cases = []
    for _ in range(count):
        corner, side = random.randint(0, 20, 2), random.randint(5, 20, 2)
        true = (*corner, *(corner + side))
        box = np.sort((np.array(true) + random.normal(0, 3, 4)).reshape(2, 2), axis=0).ravel()
        score = 0.0 if random.rand() < 0.1 else random.rand()
        cases.append(case(box * (score > 0), score, true))
    return cases


def test_overlap_is_a_mean_over_images_with_a_lesion():
    metric = BoxIoU()
    cases = [
        case((10, 10, 20, 20), 0.9, (10, 10, 20, 20)),
        case((10, 10, 20, 20), 0.9, (10, 10, 20, 15)),
        case((0, 0, 0, 0), 0.0, (3, 3, 9, 9)),
        case((3, 3, 9, 9), 0.9),
        case((3, 3, 9, 9), 0.9, (3, 3, 9, 9), annotated=False),
    ]
    assert value(metric, cases) == pytest.approx(0.5)
    assert metric.detail == {"n": 3}
    for kind in (BoxIoU, BoxAveragePrecision):
        empty = kind()
        assert math.isnan(value(empty, cases[3:]))
        assert "no annotated image holds a lesion" in empty.detail["reason"]
        spoilt = kind()
        assert math.isnan(value(spoilt, [*cases, case((math.nan, 0, 1, 1), 0.5, (0, 0, 1, 1))]))
        assert spoilt.detail["reason"] == "a box is not finite"


@pytest.mark.parametrize(("count", "threshold"), [(1, 0.5), (7, 0.5), (40, 0.5), (40, 0.75), (203, 0.6)])
def test_average_precision_is_monais(count, threshold):
    cases = random_cases(count)
    coco = COCOMetric(["lesion"], iou_list=[threshold], iou_range=(threshold, threshold, 0.05), max_detection=[1])
    found = [one["det"].numpy() for one in cases]
    matched = matching_batch(
        iou_fn=box_iou,
        iou_thresholds=coco.iou_thresholds,
        pred_boxes=[one[None, :4] if one[4] > 0 else np.zeros((0, 4)) for one in found],
        pred_classes=[np.zeros(int(one[4] > 0), int) for one in found],
        pred_scores=[one[4:] if one[4] > 0 else np.zeros(0) for one in found],
        gt_boxes=[np.array([[*_box(one["seg_target"])]], dtype=float) for one in cases],
        gt_classes=[np.zeros(1, int) for _ in cases],
    )
    expected = coco(matched)[0][f"AP_IoU_{threshold:.2f}_MaxDet_1"]
    assert value(BoxAveragePrecision(threshold=threshold), cases) == pytest.approx(expected, abs=1e-6)


def _box(mask: torch.Tensor) -> list[int]:
    rows, columns = mask[0].nonzero(as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_nothing_found_anywhere_is_a_precision_of_zero():
    assert value(BoxAveragePrecision(), [case((0, 0, 0, 0), 0.0, (3, 3, 9, 9))]) == 0
