"""A box lies where it should, in the left panel, with its words inside."""

from __future__ import annotations

import numpy as np
import pytest

from monai_mtl.outputs import contact_sheet, draw_case
from monai_mtl.outputs.boxes import BOX_COLOUR, BOX_LEGEND, TRUE_BOX_COLOUR, draw_box

from .test_outputs import where

EMPTY = np.zeros((100, 60), np.uint8)


@pytest.mark.parametrize("caption", [(), ("two", "lines")])
def test_the_outline_lies_where_the_box_does(caption):
    picture = draw_case(EMPTY, EMPTY, EMPTY, caption=caption, height=200)
    draw_box(picture, (10, 20.5, 50, 80), (60, 100), BOX_COLOUR, "", height=200)
    points = where(picture, BOX_COLOUR)
    top = picture.height - 200
    assert points.min(axis=0) == pytest.approx([top + 41, 20], abs=1)
    assert points.max(axis=0) == pytest.approx([top + 159, 99], abs=1)
    assert len(points) < 3 * 2 * (80 + 119)  # an outline, not an area


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("box", [(0, 0, 60, 100), (59, 99, 60, 100), (0, 0, 1, 1), (30, 0, 30, 0)])
def test_box_and_words_stay_in_the_panel_of_the_image(box, below):
    picture = draw_case(EMPTY, EMPTY, EMPTY, caption=["a line"], height=200)
    before = np.asarray(picture).copy()
    draw_box(picture, box, (60, 100), TRUE_BOX_COLOUR, "IoU 0.81", below=below, height=200)
    changed = np.argwhere((np.asarray(picture) != before).any(axis=2))
    assert changed[:, 0].min() >= picture.height - 200
    assert changed[:, 1].max() < 120
    assert len(where(picture, TRUE_BOX_COLOUR)) > 20


def test_a_sheet_tells_what_is_drawn_besides():
    pictures = [draw_case(EMPTY, EMPTY, EMPTY, height=80)]
    assert len(where(contact_sheet(pictures, "one", more=BOX_LEGEND), BOX_COLOUR)) > 20
    assert not len(where(contact_sheet(pictures, "one"), BOX_COLOUR))
