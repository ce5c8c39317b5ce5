"""The mask that looks at no image."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from monai_mtl.metrics.constant_mask import best_constant_mask, dice_of


def test_it_is_the_best_of_all_level_sets_and_for_one_mask_the_mask():
    random = np.random.RandomState(0)
    masks = [random.rand(2, 3) < 0.5 for _ in range(5)]
    best = best_constant_mask(masks)
    share = np.mean(masks, axis=0)
    every = [np.array(bits, bool).reshape(2, 3) for bits in product((0, 1), repeat=6)]
    level_sets = [m for m in every if m.any() and share[m].min() > share[~m].max(initial=-1)]
    assert any((best == m).all() for m in level_sets)
    score = np.mean([dice_of(best, mask) for mask in masks])
    assert score == pytest.approx(max(np.mean([dice_of(m, mask) for mask in masks]) for m in level_sets))
    assert (best_constant_mask(masks[:1]) == masks[0]).all()


def test_empty_masks():
    empty = np.zeros((2, 2), bool)
    assert math.isnan(dice_of(empty, empty))
    assert dice_of(empty, ~empty) == 0.0
    with pytest.raises(ValueError, match="no mask"):
        best_constant_mask([])
