"""Class weights from frequencies, counted by value and not by the range of each mask."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from monai_mtl.errors import DataError
from monai_mtl.losses import FrequencyWeightedCrossEntropy, class_frequencies


def test_it_follows_its_formula():
    logits, target = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    counts = [10, 0, 70, 20]
    weight = torch.tensor([1 / math.log(1.10 + n / 100) for n in counts])
    nll = -logits.log_softmax(dim=1).gather(1, target[:, None])[:, 0]
    expected = (weight[target] * nll).sum() / weight[target].sum()
    torch.testing.assert_close(FrequencyWeightedCrossEntropy(counts)(logits, target), expected)


def test_equal_frequencies_or_a_large_constant_are_plain_cross_entropy():
    logits, target = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    plain = F.cross_entropy(logits, target)
    torch.testing.assert_close(FrequencyWeightedCrossEntropy([0.25] * 4)(logits, target), plain)
    torch.testing.assert_close(FrequencyWeightedCrossEntropy([1, 2, 3, 4], c=1e9)(logits, target), plain)


def test_the_extremes_are_as_stated():
    assert FrequencyWeightedCrossEntropy([1, 0]).class_weights == pytest.approx((1.35, 10.49), abs=0.01)


def test_frequencies_are_counted_by_value_over_annotated_cases():
    masks = [np.full((1, 2, 5), 7), np.array([[[0, 0, 3, 3, 3, 3, 3, 3, 3, 7]]])]
    cases = [{"name": i} for i in range(4)]
    loaded = [{"label_seg": masks[0]}, {}, {"label_seg": torch.from_numpy(masks[1]), "has_seg": True}]
    loaded.append({"label_seg": np.full((1, 9, 9), 1), "has_seg": False})
    shares = class_frequencies(cases, 8, lambda case: loaded[case["name"]])
    assert shares == pytest.approx([2 / 20, 0, 0, 7 / 20, 0, 0, 0, 11 / 20])
    assert class_frequencies(loaded, 8) == shares


@pytest.mark.realdata
def test_the_authors_five_tiles_hold_these_tissues():
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "ynet_biopsy_tiles" / "annot"
    masks = [np.asarray(Image.open(path).convert("L")) for path in sorted(folder.glob("*.png"))]
    shares = class_frequencies([{"label_seg": mask} for mask in masks], 8)
    counts = [round(share * sum(mask.size for mask in masks)) for share in shares]
    assert counts == [110970, 51, 203008, 185333, 218573, 18282, 1063, 0]


@pytest.mark.parametrize(
    ("frequencies", "c", "message"), [([0, 0], 1.1, "not all 0"), ([1, -1], 1.1, "not all 0"), ([1, 1], 1.0, "c must")]
)
def test_wrong_arguments_are_refused(frequencies, c, message):
    with pytest.raises(ValueError, match=message):
        FrequencyWeightedCrossEntropy(frequencies, c)


def test_masks_that_cannot_be_counted_are_refused():
    with pytest.raises(DataError, match="no training case has a mask"):
        class_frequencies([{"image": 1}, {"label_seg": np.zeros((1, 2)), "has_seg": False}], 2)
    with pytest.raises(DataError, match="a mask of b holds values 0 to 4"):
        class_frequencies([{"case_id": "b", "label_seg": np.array([0, 4])}], 4)
    with pytest.raises(DataError, match="holds values -1 to 1"):
        class_frequencies([{"label_seg": np.array([-1, 1])}], 4)
