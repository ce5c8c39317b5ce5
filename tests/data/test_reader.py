"""The reader gives what a file means, or names the file and the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import LoadImage
from PIL import Image

from monai_mtl.data import MedicalReader
from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError, MissingError

GREY = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4) * 10  # 6 rows, 4 columns, no symmetry


def load(path: Path, **options) -> torch.Tensor:
    return LoadImage(reader="monai_mtl.data.MedicalReader", image_only=True, **options)(path)


def save(path: Path, picture: Image.Image, **options) -> Path:
    picture.save(path, **options)
    return path


def test_axes_are_x_first_and_values_as_stored(tmp_path):
    image = load(save(tmp_path / "a.png", Image.fromarray(GREY)))
    assert image.shape == (4, 6)
    assert np.array_equal(image.numpy(), GREY.T)
    assert image.meta["bits"] == 8
    assert read_size(tmp_path / "a.png") == (4, 6)


def test_sixteen_bits_are_kept_and_told(tmp_path):
    deep = GREY.astype(np.uint16) * 200
    image = load(save(tmp_path / "a.png", Image.fromarray(deep)))
    assert np.array_equal(image.numpy(), deep.T)
    assert image.meta["bits"] == 16


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_grey_picture_in_a_colour_mode_is_grey(tmp_path, mode):
    image = load(save(tmp_path / "a.png", Image.fromarray(GREY).convert(mode)))
    assert np.array_equal(image.numpy(), GREY.T)


def test_orientation_of_a_photograph_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    path = save(tmp_path / "a.png", Image.fromarray(GREY), exif=exif)
    assert np.array_equal(load(path).numpy(), np.rot90(GREY, -1).T)
    assert read_size(path) == (6, 4)


@pytest.mark.parametrize(("values", "dtype"), [((0, 1), np.uint8), ((0, 255), np.uint8), ((0, 1), bool)])
def test_a_binary_mask_has_classes_0_and_1(tmp_path, values, dtype):
    mask = np.where(GREY > 100, values[1], values[0]).astype(dtype)
    loaded = load(save(tmp_path / "m.png", Image.fromarray(mask)), kind="mask", dtype=torch.uint8)
    assert np.array_equal(loaded.numpy(), (GREY > 100).T)


def test_a_palette_mask_is_read_by_its_colours_not_its_indices(tmp_path):
    picture = Image.fromarray((GREY > 100).astype(np.uint8)).convert("P")
    picture.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    loaded = load(save(tmp_path / "m.png", picture), kind="mask")
    assert np.array_equal(loaded.numpy(), (GREY <= 100).T)


def colour() -> Image.Image:
    return Image.fromarray(np.stack([GREY, GREY * 0, GREY], axis=2))


def two_frames(path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def transparent() -> Image.Image:
    return Image.fromarray(np.stack([GREY, GREY], axis=2), mode="LA")


@pytest.mark.parametrize(
    ("write", "options", "reason"),
    [
        (lambda p: p.write_text("<html>"), {}, "not an image of a known format"),
        (lambda p: p.write_bytes(b""), {}, "it is empty"),
        (lambda p: colour().save(p), {}, "colour image"),
        (lambda p: transparent().save(p), {}, "transparent"),
        (two_frames, {}, "2 frames"),
        (lambda p: Image.fromarray(GREY).save(p), {"kind": "mask"}, "undeclared values"),
        (lambda p: Image.fromarray(GREY).save(p, format="JPEG"), {}, "a JPEG file by its content"),
        (lambda p: Image.fromarray(np.full((6, 4), 2, np.uint8)).save(p), {"kind": "mask"}, "undeclared values"),
    ],
)
def test_a_fault_is_refused_with_the_name_of_the_file(tmp_path, write, options, reason):
    write(tmp_path / "bad.png")
    with pytest.raises(ImageError, match=reason) as raised:
        load(tmp_path / "bad.png", **options)
    assert "bad.png" in str(raised.value)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_file_is_refused_with_its_name(tmp_path, suffix):
    noise = np.random.RandomState(0).randint(0, 255, (64, 64), np.uint8)
    path = save(tmp_path / f"cut.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:-800])
    assert read_size(path) == (64, 64)
    with pytest.raises(ImageError, match=r"cut\."):
        load(path)


def test_a_file_that_is_not_there_and_several_files_are_refused(tmp_path):
    with pytest.raises(MissingError, match=r"none\.png"):
        load(tmp_path / "none.png")
    with pytest.raises(MissingError, match=r"none\.png"):
        read_size(tmp_path / "none.png")
    path = save(tmp_path / "a.png", Image.fromarray(GREY))
    with pytest.raises(ImageError, match="one file expected"):
        LoadImage(reader="monai_mtl.data.MedicalReader")([path, path])


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="kind must be"):
        MedicalReader(kind="label")
    with pytest.raises(ValueError, match="classes must be"):
        MedicalReader(classes=1)
    assert MedicalReader().verify_suffix("a.JPG")
    assert MedicalReader().verify_suffix(["a.dcm", "a.nii.gz"])
    assert not MedicalReader().verify_suffix(["a.dcm", "a.gif"])
    with pytest.raises(ValueError, match="voi must be"):
        MedicalReader(voi="window")
