"""Pictures show what they should where they should; JSON is whole, finite and free of paths."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from monai_mtl.outputs import contact_sheet, draw_case, provenance, write_json
from monai_mtl.outputs.overlay import PREDICTION_COLOUR, TRUTH_COLOUR


def square(rows: int, columns: int, top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((rows, columns), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def where(picture, colour) -> np.ndarray:
    return np.argwhere((np.asarray(picture) == colour).all(axis=2))


def test_contours_lie_where_the_masks_do():
    truth, predicted = square(100, 60, 10, 30, 20), square(100, 60, 60, 5, 30)
    picture = draw_case(np.random.rand(100, 60), predicted * 0.8, predicted, truth, height=200)
    assert picture.size == (2 * 120 + 6, 200)
    for colour, box in ((TRUTH_COLOUR, (10, 30, 30, 50)), (PREDICTION_COLOUR, (60, 5, 90, 35))):
        points = where(picture, colour) / 2
        assert points.min(axis=0) == pytest.approx(box[:2], abs=1.5)
        assert points.max(axis=0) == pytest.approx(box[2:], abs=1.5)


def test_the_probability_shows_on_the_right_half_only():
    empty = np.zeros((50, 50), np.uint8)
    cold = np.asarray(draw_case(np.zeros((50, 50)), np.zeros((50, 50)), empty, height=50)).astype(int)
    hot = np.asarray(draw_case(np.zeros((50, 50)), np.ones((50, 50)), empty, height=50)).astype(int)
    assert (cold[:, :50] == hot[:, :50]).all()
    assert (hot[:, 56:].sum(axis=2) > cold[:, 56:].sum(axis=2)).all()


def test_a_sheet_holds_all_pictures():
    pictures = [draw_case(np.random.rand(40, 20), np.zeros((40, 20)), np.zeros((40, 20)), height=80)] * 5
    sheet = contact_sheet(pictures, "five cases", columns=2)
    assert sheet.width >= 2 * pictures[0].width
    assert sheet.height >= 3 * pictures[0].height


def test_json_has_no_nan_and_leaves_no_half_file(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"auc": float("nan"), "rows": [1, {"p": 0.5}]})
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == {"auc": None, "rows": [1, {"p": 0.5}]}
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.json"]


def test_provenance_names_the_weights_by_their_digest(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    made = provenance("hds_inbreast", "0.1.0", tmp_path / "model.pt")
    assert made["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert str(tmp_path) not in json.dumps(made)
