"""Each form of a mask in a datalist gives the pixels that it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data.masks import load_mask, mask_files
from monai_mtl.errors import ImageError, MissingError

SIZE = (7, 5)
"""Width and height; no symmetry, so that swapped axes show."""
RANDOM = np.random.RandomState(0)
ONE, TWO = RANDOM.randint(0, 2, (2, *SIZE[::-1])).astype(np.uint8)
MANY, MORE = RANDOM.randint(0, 4, (2, *SIZE[::-1])).astype(np.uint8)


def save(path: Path, rows: np.ndarray) -> Path:
    Image.fromarray(rows).save(path)
    return path


def inside(points: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre lies in an outline, by counting how often a ray to the right crosses it."""
    mask = np.zeros(size, bool)
    for x in range(size[0]):
        for y in range(size[1]):
            crossings = 0
            for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
                if (y0 > y) != (y1 > y):
                    crossings += x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            mask[x, y] = crossings % 2
    return mask


@pytest.mark.parametrize("as_type", [str, Path])
def test_a_path_is_one_file_with_x_first(tmp_path, as_type):
    path = save(tmp_path / "m.png", ONE * 255)
    mask = load_mask(as_type(path), SIZE)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, ONE.T)
    assert mask_files(as_type(path)) == [path]


def test_a_list_is_the_union_of_its_files_whatever_their_order(tmp_path):
    files = [str(save(tmp_path / "1.png", ONE)), str(save(tmp_path / "2.png", TWO * 255))]
    assert (ONE & ~TWO & 1).any()
    assert (TWO & ~ONE & 1).any()
    for order in (files, files[::-1], tuple(files)):
        assert np.array_equal(load_mask(order, SIZE), (ONE | TWO).T)
        assert mask_files(order) == [Path(name) for name in order]
    assert np.array_equal(load_mask(files[:1], SIZE), ONE.T)


def test_of_more_than_two_classes_the_larger_counts(tmp_path):
    files = [save(tmp_path / "1.png", MANY), save(tmp_path / "2.png", MORE)]
    assert np.array_equal(load_mask(files[0], SIZE, classes=4), MANY.T)
    assert np.array_equal(load_mask(files, SIZE, classes=4), np.maximum(MANY, MORE).T)
    with pytest.raises(ImageError, match="undeclared values"):
        load_mask(files, SIZE, classes=3)


@pytest.mark.parametrize("source", [[], (), {"polygons": []}])
def test_nothing_found_is_an_empty_mask(source):
    mask = load_mask(source, SIZE)
    assert mask.shape == SIZE
    assert mask.dtype == np.uint8
    assert not mask.any()
    assert mask_files(source) == []


SHAPES = {
    "triangle": [[1.2, 0.7], [11.6, 3.3], [4.4, 9.1]],
    "concave": [[0.5, 0.5], [12.5, 0.5], [12.5, 8.6], [6.3, 2.4], [0.5, 8.7]],
    "closed twice": [[1.5, 1.5], [9.5, 1.5], [9.5, 6.5], [1.5, 6.5], [1.5, 1.5]],
    "beyond every border": [[-4.3, 4.6], [7.1, -5.2], [19.7, 4.4], [6.8, 15.9]],
    "around everything": [[-9.5, -9.5], [30.5, -9.5], [30.5, 30.5], [-9.5, 30.5]],
    "outside": [[40.5, 2.5], [50.5, 2.5], [50.5, 8.5]],
}
GRID = (14, 10)


@pytest.mark.parametrize("name", SHAPES)
def test_an_outline_holds_the_pixels_whose_centre_it_encloses(name):
    source = {"polygons": [SHAPES[name]]}
    assert np.array_equal(load_mask(source, GRID), inside(SHAPES[name], GRID))
    assert mask_files(source) == []


def test_outlines_make_a_union_and_ignore_the_number_of_classes():
    shapes = [SHAPES["triangle"], SHAPES["concave"], SHAPES["outside"]]
    expected = np.any([inside(points, GRID) for points in shapes], axis=0)
    for classes, lesion in ((2, None), (5, 1)):
        assert np.array_equal(load_mask({"polygons": shapes}, GRID, classes, lesion=lesion), expected)


@pytest.mark.parametrize(
    ("points", "pixels"),
    [
        ([[2.0, 4.0]], [(2, 4)]),
        ([[2.4, 3.6]], [(2, 4)]),
        ([[0.0, 0.0], [13.0, 9.0]], [(0, 0), (13, 9)]),
        ([[-0.4, 9.4]], [(0, 9)]),
        ([[-0.6, 4.0]], []),
        ([[13.6, 4.0], [4.0, 9.6]], []),
        ([[14.0, 0.0], [3.0, 3.0]], [(3, 3)]),
        ([], []),
    ],
)
def test_one_or_two_points_are_single_pixels_if_they_lie_in_the_image(points, pixels):
    expected = np.zeros(GRID, np.uint8)
    for x, y in pixels:
        expected[x, y] = 1
    assert np.array_equal(load_mask({"polygons": [points]}, GRID), expected)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_rescaled_mask_repeats_pixels_and_invents_no_value(tmp_path, factor):
    path = save(tmp_path / "m.png", MANY)
    larger = (factor * SIZE[0], factor * SIZE[1])
    expected = np.kron(MANY, np.ones((factor, factor), np.uint8)).T
    assert np.array_equal(load_mask(path, larger, classes=4, rescale=True), expected)


def test_a_mask_of_thrice_the_size_is_rescaled_to_the_middle_of_each_block(tmp_path):
    fine = RANDOM.randint(0, 4, (3 * SIZE[1], 3 * SIZE[0])).astype(np.uint8)
    path = save(tmp_path / "m.png", fine)
    assert np.array_equal(load_mask(path, SIZE, classes=4, rescale=True), fine[1::3, 1::3].T)


def test_rescaling_leaves_a_mask_of_the_right_size_and_joins_others_to_it(tmp_path):
    fine = np.kron(TWO, np.ones((3, 3), np.uint8))
    files = [save(tmp_path / "1.png", ONE), save(tmp_path / "2.png", fine)]
    assert np.array_equal(load_mask(files[0], SIZE, rescale=True), ONE.T)
    assert np.array_equal(load_mask(files, SIZE, rescale=True), (ONE | TWO).T)


def test_the_class_of_a_lesion_may_be_told_beside_its_mask(tmp_path):
    files = [save(tmp_path / "1.png", ONE * 255), save(tmp_path / "2.png", TWO)]
    assert np.array_equal(load_mask(files[0], SIZE, 3, lesion=2), 2 * ONE.T)
    assert np.array_equal(load_mask(files, SIZE, 3, lesion=[2, 1]), np.where(ONE, 2, TWO).T)
    assert np.array_equal(load_mask(files, SIZE, 3, lesion=2), 2 * (ONE | TWO).T)
    outlines = {"polygons": [[[1.0, 1.0]], [[2.0, 3.0]]]}
    assert np.array_equal(load_mask(outlines, GRID, 3, lesion=2), 2 * load_mask(outlines, GRID))
    assert not load_mask([], SIZE, 3, lesion=2).any()
    assert not load_mask([], SIZE, 3, lesion=[]).any()


@pytest.mark.parametrize("lesion", [0, 3, [1], [1, 2, 1], [1, 3], "malignant"])
def test_a_class_that_the_mask_cannot_have_is_refused(tmp_path, lesion):
    files = [save(tmp_path / "1.png", ONE), save(tmp_path / "2.png", TWO)]
    with pytest.raises(ImageError, match=r"class_seg .* does not fit a mask of 2 parts") as raised:
        load_mask(files, SIZE, 3, lesion=lesion)
    assert raised.value.kind == "values"
    assert "a number from 1 to 2" in raised.value.expected


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path):
    good, bad = save(tmp_path / "good.png", ONE), save(tmp_path / "bad.png", ONE.T.copy())
    for source in (bad, [good, bad]):
        with pytest.raises(ImageError, match=r"bad\.png has 5 x 7 pixels, its image 7 x 5") as raised:
            load_mask(source, SIZE)
        assert raised.value.fix == "export image and mask on one grid"


def test_a_missing_mask_is_refused_with_its_name(tmp_path):
    with pytest.raises(MissingError, match=r"none\.png"):
        load_mask([save(tmp_path / "1.png", ONE), tmp_path / "none.png"], SIZE)


def test_outlines_of_one_of_several_classes_say_which(tmp_path):
    outlines = {"polygons": [[[1, 1], [5, 1], [5, 5]]]}
    with pytest.raises(ImageError, match="outlines without class_seg, where a pixel has one of 3 classes") as raised:
        load_mask(outlines, GRID, 3)
    assert raised.value.kind == "values"
    assert load_mask(outlines, GRID, 3, lesion=1).max() == 1
    assert not load_mask({"polygons": []}, GRID, 3).any()
