"""What x.json tells of lesions: closed forms, and the words where something is not known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from monai_mtl.outputs.lesion_list import lesion_entries, spacing_entry, within
from monai_mtl.outputs.lesions import MOST, find_lesions


def test_a_lesion_has_size_place_and_confidence():
    probability = np.zeros((20, 30), np.float32)
    probability[4:8, 10:20] = 0.6
    probability[5, 12] = 0.95
    probability[15, 2] = 0.75
    numbers, lesions = find_lesions(probability > 0.5, (0.5, 0.25))
    first, second = lesion_entries(numbers, lesions, probability)
    assert first == {
        "number": 1,
        "parts": 1,
        "pixels": 40,
        "area_mm2": 5.0,
        "long_axis_mm": round(math.hypot(5, 1), 2),
        "short_axis_mm": round(2 * 5 * 1 / math.hypot(5, 1), 2),
        "long_axis_pixels": round(math.hypot(10, 4), 2),
        "short_axis_pixels": round(2 * 10 * 4 / math.hypot(10, 4), 2),
        "centre_xy": [15.0, 6.0],
        "box_xyxy": [10, 4, 20, 8],
        "confidence": {"largest": 0.95, "mean": pytest.approx((39 * 0.6 + 0.95) / 40, abs=1e-6)},
    }
    assert (second["number"], second["box_xyxy"], second["confidence"]["mean"]) == (2, [2, 15, 3, 16], 0.75)


def test_what_is_not_known_is_null_and_json_takes_it():
    mask = np.zeros((9, 41), np.uint8)
    mask[::2, ::2] = 1
    *_, rest = json.loads(json.dumps(lesion_entries(*find_lesions(mask), mask / 2), allow_nan=False))
    assert rest["number"] == MOST + 1
    assert (rest["area_mm2"], rest["long_axis_mm"], rest["long_axis_pixels"]) == (None, None, None)
    assert (rest["parts"], rest["pixels"], rest["confidence"]) == (5 * 21 - MOST,) * 2 + (
        {"largest": 0.5, "mean": 0.5},
    )
    assert lesion_entries(*find_lesions(np.zeros((3, 3))), np.zeros((3, 3))) == []


def test_outside_the_calibrated_part_a_lesion_has_no_millimetres_and_says_why():
    probability = np.zeros((20, 30), np.float32)
    probability[4:8, 10:20] = probability[15, 2] = 0.75
    numbers, lesions = find_lesions(probability > 0.5, (0.5, 0.25))
    first, second = lesion_entries(numbers, within(lesions, [10, 4, 19, 7]), probability, spacing_known=True)
    assert (first["area_mm2"], "reason" in first) == (5.0, False)
    assert (second["area_mm2"], second["long_axis_mm"], second["pixels"]) == (None, None, 1)
    assert second["reason"].startswith("not wholly inside")
    assert math.isnan(within(lesions, [11, 4, 19, 7])[0].area_mm2)
    assert within(lesions, None) == lesions


@pytest.mark.parametrize(
    ("spacing", "source", "entry"),
    [
        (
            [0.1, 0.2],
            "ImagerPixelSpacing (detector plane)",
            {"xy_mm": [0.1, 0.2], "plane": "detector; in the body lengths are smaller"},
        ),
        (
            [0.1, 0.1],
            "ImagerPixelSpacing / magnification",
            {"xy_mm": [0.1, 0.1], "plane": "body, by the magnification that the file estimates"},
        ),
        (
            [0.1, 0.2],
            "SequenceOfUltrasoundRegions",
            {"xy_mm": [0.1, 0.2], "plane": "image, inside its one two-dimensional region"},
        ),
        ([1.0, 1.0], "pixdim", {"xy_mm": [1.0, 1.0], "plane": "image"}),
        ([math.nan] * 2, "none", {"xy_mm": None, "reason": "the image states no spacing"}),
    ],
)
def test_spacing_names_its_source_and_plane_or_the_reason(spacing, source, entry):
    found = spacing_entry(spacing, source)
    assert found.pop("source") == source
    if "reason" in entry:
        assert found.pop("reason").startswith(entry.pop("reason"))
    assert found == entry
