"""Trimming moves image and mask alike, and leaves the size as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_mtl.errors import DataError
from monai_mtl.transforms import RandTrimd


def case() -> dict:
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(40.0), indexing="ij")
    return {"image": torch.stack([rows, columns]), "mask": (columns >= 20).to(torch.uint8)[None]}


def test_the_same_margin_goes_from_opposite_sides_and_the_size_stays():
    trim = RandTrimd(["image", "mask"], max_trim=10, prob=1.0, mode=["bilinear", "nearest"])
    margins = set()
    for seed in range(30):
        trim.set_random_state(seed)
        done = trim(case())
        top, left = trim._margins
        margins.add((top, left))
        assert done["image"].shape == (2, 60, 40)
        # What was trimmed: linear ramps stay linear, with the middle where it was.
        assert float(done["image"][0, 29:31].mean()) == pytest.approx(29.5, abs=1e-4)
        assert float(done["image"][0, 0, 0]) == pytest.approx(top, abs=0.5)
        assert float(done["image"][1, 0, -1]) == pytest.approx(39 - left, abs=0.5)
        assert torch.equal(torch.as_tensor(done["mask"]), case()["mask"])  # its border is in the middle
        assert {name: done[name].dtype for name in done} == {"image": torch.float32, "mask": torch.uint8}
    assert len(margins) > 20
    assert max(max(pair) for pair in margins) == 10


def test_half_of_the_cases_are_left_alone():
    trim = RandTrimd("image", prob=0.5, max_trim=5)
    same = 0
    for seed in range(200):
        trim.set_random_state(seed)
        same += bool(torch.equal(torch.as_tensor(trim(case())["image"]), case()["image"]))
    assert 80 < same < 130  # of 200, and one in 36 margins is none


def test_margins_without_room_and_negative_ones_are_refused():
    with pytest.raises(ValueError, match="max_trim"):
        RandTrimd("image", max_trim=-1)
    trim = RandTrimd("image", max_trim=10, prob=0.0)  # whatever is drawn
    with pytest.raises(DataError, match="no room for margins"):
        trim({"image": np.zeros((1, 20, 20), np.float32), "case_id": "small"})
