"""Random cases of ROI align and of suppression, the same wherever they are made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CASES = 1000


class RoiCase(NamedTuple):
    """Arguments of torchvision's ``roi_align``."""

    features: np.ndarray
    boxes: np.ndarray
    size: tuple[int, int]
    scale: float
    sampling: int
    aligned: bool


class NmsCase(NamedTuple):
    """Arguments of torchvision's ``nms``."""

    boxes: np.ndarray
    scores: np.ndarray
    threshold: float


def roi_case(seed: int) -> RoiCase:
    """A small map and three boxes, some thin, some partly or wholly outside."""
    rng = np.random.RandomState(seed)
    height, width = rng.randint(1, 13, size=2)
    scale = [1.0, 0.5, 0.25, 0.0625][rng.randint(4)]
    features = rng.standard_normal((2, 1, height, width)).astype(np.float32)
    corner = rng.uniform(-0.3, 1, (3, 2)) * (width, height) / scale
    length = rng.uniform(0, 1.2, (3, 2)) ** 2 * (width, height) / scale
    boxes = np.column_stack([rng.randint(2, size=3), corner, corner + length]).astype(np.float32)
    size = (int(rng.randint(1, 4)), int(rng.randint(1, 5)))
    return RoiCase(features, boxes, size, scale, int(rng.randint(1, 4)), bool(rng.randint(2)))


def nms_case(seed: int) -> NmsCase:
    """Up to 60 boxes in clusters; in every other case on whole pixels, where equal overlaps and scores are common."""
    rng = np.random.RandomState(100_000 + seed)
    number = rng.randint(61)
    centre = rng.uniform(0, 40, (3, 2))[rng.randint(3, size=number)] + rng.normal(0, 4, (number, 2))
    size = rng.uniform(2, 20, (number, 2))
    boxes, scores = np.column_stack([centre - size / 2, centre + size / 2]), rng.uniform(size=number)
    if seed % 2:
        boxes, scores = boxes.round(), scores.round(1)
    return NmsCase(boxes.astype(np.float32), scores.astype(np.float32), [0.3, 0.5, 0.7, 0.1][rng.randint(4)])
