"""Sizes of lesions against closed forms and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.measure import regionprops

from monai_mtl.outputs.lesions import MOST, find_lesions


def test_a_rectangle_has_the_size_of_a_rectangle():
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 10:40] = 255  # 10 rows of 0.2 mm, 30 columns of 0.1 mm
    numbers, (lesion,) = find_lesions(mask, (0.1, 0.2))
    assert lesion.pixels == 300
    assert lesion.area_mm2 == pytest.approx(3 * 2)
    assert lesion.long_axis_mm == pytest.approx(math.hypot(3, 2))
    assert lesion.short_axis_mm == pytest.approx(2 * 3 * 2 / math.hypot(3, 2))
    assert lesion.long_axis_pixels == pytest.approx(math.hypot(30, 10))
    assert lesion.short_axis_pixels == pytest.approx(2 * 30 * 10 / math.hypot(30, 10))
    assert (lesion.box_xyxy, lesion.centre_xy) == ((10, 5, 40, 15), (25, 10))
    np.testing.assert_array_equal(numbers, mask > 0)


def test_one_pixel_has_its_own_size():
    mask = np.zeros((3, 3), np.uint8)
    mask[1, 1] = 1
    (lesion,) = find_lesions(mask, (3.0, 4.0))[1]
    assert (lesion.area_mm2, lesion.long_axis_mm) == (12, 5)


def test_a_disc_has_its_diameter_in_every_direction():
    y, x = np.mgrid[:200, :200]
    mask = (y - 100) ** 2 + (x - 100) ** 2 <= 60**2
    (lesion,) = find_lesions(mask, (0.5, 0.5))[1]
    assert lesion.area_mm2 == pytest.approx(np.pi * 30**2, rel=0.01)
    assert lesion.long_axis_mm == pytest.approx(60, rel=0.02)
    assert lesion.short_axis_mm == pytest.approx(60, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_the_long_axis_is_the_largest_feret_diameter_of_scikit_image(seed):
    mask = np.random.RandomState(seed).rand(12, 12) > 0.4
    numbers, lesions = find_lesions(mask, (1.0, 1.0))
    feret = {r.label: r.feret_diameter_max for r in regionprops(numbers)}
    for number, lesion in enumerate(lesions[:MOST], 1):
        if lesion.parts == 1:
            # It measures between the middles of pixels' sides, we between their corners.
            assert feret[number] <= lesion.long_axis_mm <= feret[number] + math.sqrt(2)


def test_lesions_come_largest_first_and_corners_join():
    mask = np.zeros((20, 20), np.uint8)
    mask[0, 0] = mask[10:12, 10:12] = mask[12, 12] = 1
    numbers, lesions = find_lesions(mask)
    assert [lesion.pixels for lesion in lesions] == [5, 1]
    assert (numbers[12, 12], numbers[0, 0]) == (1, 2)
    assert all(math.isnan(v) for lesion in lesions for v in (lesion.area_mm2, lesion.long_axis_mm))
    assert lesions[0].box_xyxy == (10, 10, 13, 13)
    assert lesions[0].centre_xy == pytest.approx((11.3, 11.3))  # four middles at 10.5 and 11.5, one at 12.5
    assert lesions[1].long_axis_pixels == pytest.approx(math.sqrt(2))


def test_too_many_become_one_more_and_no_pixel_is_lost():
    mask = np.zeros((9, 41), np.uint8)
    mask[::2, ::2] = 1
    numbers, lesions = find_lesions(mask, (1.0, 2.0))
    assert len(lesions) == MOST + 1
    assert lesions[-1].parts == lesions[-1].pixels == 5 * 21 - MOST
    assert lesions[-1].area_mm2 == 2 * lesions[-1].pixels
    assert math.isnan(lesions[-1].long_axis_mm)
    assert math.isnan(lesions[-1].short_axis_pixels)
    assert lesions[-1].box_xyxy[2:] == (41, 9)
    np.testing.assert_array_equal(numbers > 0, mask > 0)
    assert np.bincount(numbers.reshape(-1))[1:].tolist() == [lesion.pixels for lesion in lesions]


def test_nothing_is_no_lesion():
    numbers, lesions = find_lesions(np.zeros((4, 5), np.uint8), (1.0, 1.0))
    assert (lesions, numbers.any(), numbers.shape) == ([], False, (4, 5))


def test_a_lesion_is_of_the_class_of_most_of_its_pixels_and_of_equals_the_larger():
    mask = np.zeros((12, 12), np.uint8)
    mask[0, :5], mask[1, :3] = 1, 2  # one lesion of two classes
    mask[5, :2], mask[5, 2:4] = 2, 1
    mask[9, 9] = 2
    lesions = find_lesions(mask, (1.0, 1.0))[1]
    assert [(lesion.pixels, lesion.kind) for lesion in lesions] == [(8, 1), (4, 2), (1, 2)]
    assert find_lesions(mask > 0, (1.0, 1.0))[1] == [lesion._replace(kind=1) for lesion in lesions]
