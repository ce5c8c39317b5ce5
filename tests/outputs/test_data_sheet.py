"""The sheet of a data set: size, contours, what cannot be read, counts and spacings."""

from __future__ import annotations

import numpy as np

from monai_mtl.outputs.data_sheet import Tile, data_sheet
from monai_mtl.outputs.overlay import TRUTH_COLOUR

OVERVIEW = {
    "classes": {"cls": {"training": {"mass": 3, "no mass": 6}, "test": {}}},
    "width": {"smallest": 10.0, "median": 20.0, "largest": 40.0},
    "height": {"smallest": 12.0, "median": 12.0, "largest": 12.0},
}


def has_colour(picture, colour):
    return bool((np.asarray(picture) == colour).all(axis=2).any())


def test_masks_are_drawn_and_cases_that_cannot_be_read_have_a_place():
    image = np.random.RandomState(0).rand(60, 40)
    mask = np.zeros((60, 40), np.uint8)
    mask[20:30, 10:20] = 1
    tiles = [Tile(image, mask, ("a", "mask size")), Tile(image, None, ("b",)), Tile(None, None, ("c", "unreadable"))]
    sheet = data_sheet("three", tiles, OVERVIEW, [0.1, 0.1, 0.2])
    assert has_colour(sheet, TRUTH_COLOUR)
    assert not has_colour(data_sheet("two", tiles[1:], OVERVIEW), TRUTH_COLOUR)
    assert data_sheet("many", tiles * 3, OVERVIEW, [0.1, 0.1, 0.2]).height > sheet.height


def test_a_constant_image_and_a_set_of_which_nothing_is_known_are_drawn():
    assert data_sheet("one", [Tile(np.full((9, 9), 3.0), np.zeros((9, 9)), ("a",))], {}).width > 500
    assert data_sheet("none", [], {}).height < 200
