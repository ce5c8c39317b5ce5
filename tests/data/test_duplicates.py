"""Copies of a picture are found, pictures of other people are not; on drawn and on real images."""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data.duplicates import ALIKE, Fingerprint, fingerprint, near_duplicates

from ..factories import breast
from .test_planted_faults import speckle


def jpeg(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80)
    return Image.open(stream).convert("L")


def scaled(picture: Image.Image) -> Image.Image:
    return picture.resize((round(picture.width * 0.7), round(picture.height * 0.7)), Image.Resampling.BILINEAR)


def brighter(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.uint8(np.clip(np.asarray(picture, float) * 1.1 + 20, 0, 255)))


def cropped(picture: Image.Image) -> Image.Image:
    x, y = round(picture.width * 0.01), round(picture.height * 0.01)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def cropped_at_a_corner(picture: Image.Image) -> Image.Image:
    return picture.crop((round(picture.width * 0.02), round(picture.height * 0.02), picture.width, picture.height))


COPIES = (jpeg, scaled, brighter, cropped, cropped_at_a_corner)


def prints(pictures) -> list[Fingerprint | None]:
    return [fingerprint(np.asarray(picture, np.float32).T) for picture in pictures]


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.__name__)
def test_a_copy_is_found_and_nothing_else(copy):
    pictures = [Image.fromarray(speckle(i)).resize((320, 256), Image.Resampling.BICUBIC) for i in range(60)]
    found = near_duplicates(prints([*pictures, *map(copy, pictures)]))
    assert [(i, j) for i, j, _ in found] == [(i, i + 60) for i in range(60)]
    assert all(ALIKE <= likeness <= 1.001 for *_, likeness in found)


def test_pairs_of_one_group_are_not_looked_at():
    one = prints([Image.fromarray(speckle(0))] * 3)
    assert len(near_duplicates(one)) == 3
    assert [(i, j) for i, j, _ in near_duplicates(one, ["a", "a", None])] == [(0, 2), (1, 2)]
    assert near_duplicates(one, ["a", "a", "a"]) == []


def test_a_picture_of_one_grey_is_like_none_and_colours_are_compared_as_grey():
    assert fingerprint(np.full((50, 40), 7.0)) is None
    assert near_duplicates([None, *prints([Image.fromarray(speckle(0))])]) == []
    colours = np.stack([speckle(1).T.astype(np.float32)] * 3)
    assert [(i, j) for i, j, _ in near_duplicates([None, fingerprint(colours), fingerprint(colours[0])])] == [(1, 2)]


def test_a_mirrored_breast_is_another():
    image = Image.fromarray(breast(rows=256, columns=200, lesion=True, seed=3)[0])
    assert near_duplicates(prints([image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])) == []


def test_thousands_take_seconds():
    random = np.random.RandomState(0)
    many = [Fingerprint(random.rand(256) > 0.5, random.randint(0, 255, (64, 64), np.uint8)) for _ in range(5000)]
    many.append(many[17])
    start = time.monotonic()
    assert [(i, j) for i, j, _ in near_duplicates(many)] == [(17, 5000)]
    assert time.monotonic() - start < 10


REAL = {
    "cdd_cesm_mammo": ("patient", 0),
    "isic2017_labelled": ("isic_id", 0),
    "bus_bra": ("patient", 0),
    "ebhi_seg_colorectal": ("case", 0),
    "idrid_grading": ("idrid_id", 6),
}
"""Column that tells people apart, and the number of pairs that do show one eye."""


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_on_real_images_copies_are_found_and_other_people_are_not(name):
    folder = Path(os.environ["MONAI_MTL_DATA"]) / name
    with (folder / "labels.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    column, true_pairs = REAL[name]
    pictures = [Image.open(folder / row["image"]).convert("L") for row in rows]
    groups = [row["image"] if column == "idrid_id" else row[column] for row in rows]
    originals = prints(pictures)
    found = near_duplicates(originals, groups)
    assert len(found) == true_pairs
    some = range(0, len(rows), max(1, len(rows) // 60))
    for copy in COPIES:
        copies = prints([copy(pictures[i]) for i in some])
        hits = {(i, some[j - len(rows)]) for i, j, _ in near_duplicates([*originals, *copies]) if j >= len(rows)}
        assert {(i, i) for i in some} <= hits, copy.__name__
