"""PNG, JPEG, TIFF and BMP: every choice of the reader, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import list_data_collate
from monai.transforms import LoadImage, LoadImaged
from PIL import Image, TiffImagePlugin

from monai_mtl.data import MedicalReader
from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError

GREY = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4) * 10
COLOUR = np.stack([GREY, GREY[::-1], GREY * 0], axis=2)
ALPHA = np.where(GREY > 100, 255, 0).astype(np.uint8)


def read(path: Path, **options) -> tuple[np.ndarray, dict]:
    return MedicalReader(reverse_indexing=False, **options).get_data([path])


def save(path: Path, picture: Image.Image | np.ndarray, **options) -> Path:
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("array", "bits"),
    [
        (GREY, 8),
        (GREY.astype(np.uint16) * 200, 16),
        (GREY.astype(np.int32) * 70_000, 32),
        (GREY.astype(np.float32) / 7 - 3, 32),
    ],
)
def test_a_tiff_keeps_its_values_and_tells_its_bits(tmp_path, array, bits):
    values, meta = read(save(tmp_path / "a.tif", array))
    assert np.array_equal(values, array.astype(np.float32))
    assert meta["bits"] == bits
    assert np.isnan(meta["spacing"]).all()
    assert meta["spacing_source"] == "none"


def test_white_is_zero_and_big_endian_tiffs_read_like_their_twins(tmp_path):
    deep = GREY.astype(np.uint16) * 200
    white = TiffImagePlugin.ImageFileDirectory_v2()
    white[262] = 0
    assert np.array_equal(read(save(tmp_path / "a.tif", 65535 - deep, tiffinfo=white))[0], deep)
    big = save(tmp_path / "b.tiff", Image.fromarray(deep.astype(">u2")), format="TIFF")
    assert np.array_equal(read(big)[0], deep)


def test_rows_or_columns_may_come_first(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    assert read(path)[0].shape == (6, 4)
    assert MedicalReader().get_data([path])[0].shape == (4, 6)
    large = np.arange(200 * 333, dtype=np.uint16).reshape(200, 333)
    assert np.array_equal(MedicalReader().get_data([save(tmp_path / "b.png", large)])[0], large.T)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_colours_of_nifti_are_those_of_the_same_picture(tmp_path, suffix):
    turned = np.ascontiguousarray(COLOUR.swapaxes(0, 1)).view([(name, "u1") for name in "RGB"])[..., 0]
    path = tmp_path / f"a{suffix}"
    nibabel.save(nibabel.Nifti1Image(turned[..., None], np.diag([0.5, 0.25, 1, 1])), path)
    values, meta = read(path, color="rgb")
    assert np.array_equal(values, COLOUR.transpose(2, 0, 1))
    assert meta["bits"] == 8
    assert meta["spacing"].tolist() == [0.5, 0.25]
    assert read_size(path) == COLOUR.shape[1::-1]
    with pytest.raises(ImageError, match="colour image"):
        read(path)
    with pytest.raises(ImageError, match="288 bytes when decoded"):
        read(path, color="rgb", max_bytes=4 * COLOUR.size - 1)


def test_colours_come_as_three_channels_and_grey_three_times(tmp_path):
    path = save(tmp_path / "a.png", COLOUR)
    values, _ = read(path, color="rgb")
    assert np.array_equal(values, COLOUR.transpose(2, 0, 1))
    turned, _ = MedicalReader(color="rgb").get_data([path])
    assert np.array_equal(turned, COLOUR.transpose(2, 1, 0))
    loaded = LoadImage(reader=MedicalReader(color="rgb"), ensure_channel_first=True)(path)
    assert loaded.shape == (3, 4, 6)
    grey, _ = read(save(tmp_path / "b.png", GREY), color="rgb")
    assert np.array_equal(grey, np.stack([GREY] * 3))
    with pytest.raises(ImageError, match="colour image") as raised:
        read(path)
    assert raised.value.kind == "colour"


@pytest.mark.parametrize(("rule", "hidden"), [("drop", GREY), ("black", GREY * 0), ("white", GREY * 0 + 255)])
def test_alpha_by_rule(tmp_path, rule, hidden):
    picture = Image.fromarray(np.stack([GREY, ALPHA], axis=2), mode="LA")
    path = save(tmp_path / "a.png", picture)
    values, _ = read(path, alpha=rule)
    assert np.array_equal(values, np.where(ALPHA == 255, GREY, hidden))
    coloured = save(tmp_path / "b.png", np.dstack([COLOUR, ALPHA]))
    values, _ = read(coloured, alpha=rule, color="rgb")
    behind = COLOUR if rule == "drop" else np.stack([hidden] * 3, axis=2)
    assert np.array_equal(values.transpose(1, 2, 0), np.where(ALPHA[..., None] == 255, COLOUR, behind))
    with pytest.raises(ImageError, match="transparent") as raised:
        read(path)
    assert raised.value.kind == "transparency"


def test_one_transparent_grey_of_16_bits_counts_where_it_occurs(tmp_path):
    deep = Image.fromarray(GREY.astype(np.uint16) * 200)
    harmless = save(tmp_path / "a.png", deep, transparency=1)
    assert np.array_equal(read(harmless)[0], GREY.astype(np.float32) * 200)
    hiding = save(tmp_path / "b.png", deep, transparency=200 * 10)
    with pytest.raises(ImageError, match="transparent"):
        read(hiding)
    assert np.array_equal(read(hiding, alpha="drop")[0], GREY.astype(np.float32) * 200)


def test_several_channels_of_16_bits_are_refused_not_cut(tmp_path):
    deep = np.dstack([GREY.astype(np.uint16) * 200] * 3)
    path = tmp_path / "a.tif"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[256], tags[257], tags[258], tags[259], tags[262], tags[277] = 4, 6, (16, 16, 16), 1, 2, 3
    tags[273], tags[278], tags[279] = 0, 6, deep.nbytes
    head = b"II*\0" + (8).to_bytes(4, "little")
    tags[273] = len(head) + len(tags.tobytes(8))
    path.write_bytes(head + tags.tobytes(8) + deep.tobytes())
    assert read_size(path) == (4, 6)
    with pytest.raises(ImageError, match="16 bits") as raised:
        read(path, color="rgb")
    assert raised.value.kind == "colour"


def test_a_chosen_frame(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    for name in ("a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert np.array_equal(read(tmp_path / name, frame=1)[0], 255 - GREY)
        with pytest.raises(ImageError, match="no frame 2") as raised:
            read(tmp_path / name, frame=2)
        assert raised.value.kind == "frames"
    assert np.array_equal(read(save(tmp_path / "b.png", GREY), frame=0)[0], GREY)


def test_a_photograph_with_a_preview_behind_it_is_the_photograph(tmp_path):
    smooth = np.add.outer(np.arange(32), np.arange(24)).astype(np.uint8) * 4
    picture, preview = Image.fromarray(smooth), Image.fromarray(smooth[::4, ::4])
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    values, _ = read(tmp_path / "a.jpg")
    assert np.abs(values - smooth).max() <= 8


def test_bitmaps_and_orientation_switched_off(tmp_path):
    assert np.array_equal(read(save(tmp_path / "a.bmp", GREY))[0], GREY)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, GREY, exif=exif)
        assert np.array_equal(read(path)[0], np.rot90(GREY, -1))
        assert read_size(path) == (6, 4)
    assert np.array_equal(read(tmp_path / "a.png", exif=False)[0], GREY)


def test_values_that_are_not_finite_are_refused_or_made_zero_with_a_count(tmp_path, caplog):
    holes = GREY.astype(np.float32)
    holes[0, :2] = np.nan, np.inf
    path = save(tmp_path / "a.tif", holes)
    with pytest.raises(ImageError, match="2 of 24 values that are not finite") as raised:
        read(path)
    assert raised.value.kind == "non_finite"
    values, meta = read(path, non_finite="zero")
    assert np.array_equal(values, np.where(np.isfinite(holes), GREY, 0))
    assert "2 of 24" in meta["notices"]
    assert "a.tif: 2 of 24" in caplog.text


def test_samples_with_and_without_notices_collate(tmp_path):
    holes = GREY.astype(np.float32)
    holes[0, 0] = np.nan
    paths = [save(tmp_path / "a.tif", holes), save(tmp_path / "b.tif", GREY.astype(np.float32))]
    load = LoadImaged("image", reader=MedicalReader(non_finite="zero"))
    batch = list_data_collate([load({"image": path}) for path in paths])
    assert batch["image"].shape == (2, 4, 6)


def test_a_picture_over_the_budget_is_refused_before_it_is_decoded(tmp_path):
    path = save(tmp_path / "a.png", GREY)
    with pytest.raises(ImageError, match="24 pixels, 96 bytes") as raised:
        read(path, max_bytes=95)
    assert raised.value.kind == "budget"
    with pytest.raises(ImageError, match="bytes or more") as raised:
        read(path, max_bytes=9)
    assert raised.value.kind == "budget"
    assert np.array_equal(read(path, max_bytes=96)[0], GREY)


def palette_mask(path: Path, indices: np.ndarray, colours: list[int]) -> Path:
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette(colours)
    return save(path, picture)


def test_a_palette_of_two_colours_by_brightness(tmp_path):
    lesion = (GREY > 100).astype(np.uint8)
    red_first = palette_mask(tmp_path / "a.png", 1 - lesion, [255, 0, 0, 0, 0, 0])
    assert np.array_equal(read(red_first, kind="mask")[0], lesion)
    padded = palette_mask(tmp_path / "b.png", lesion * 2, [0, 0, 0, 9, 9, 9, 255, 0, 0, 7, 7, 0])
    assert np.array_equal(read(padded, kind="mask")[0], lesion)
    empty = palette_mask(tmp_path / "c.png", lesion * 0, [0, 0, 0, 255, 0, 0])
    assert not read(empty, kind="mask")[0].any()


def test_a_palette_of_more_colours_needs_a_declaration(tmp_path):
    indices = GREY // 80
    path = palette_mask(tmp_path / "a.png", indices, [0, 0, 0, 255, 0, 0, 0, 255, 0])
    with pytest.raises(ImageError, match="palette of 3 colours") as raised:
        read(path, kind="mask", classes=3)
    assert raised.value.kind == "values"
    values, _ = read(path, kind="mask", classes=3, mask_values={"0": 0, "1": 2, "2": 1})
    assert np.array_equal(values, np.array([0, 2, 1])[indices])


def test_declared_values_and_thresholds(tmp_path):
    stored = np.choose(GREY // 80, [0, 128, 255]).astype(np.uint8)
    path = save(tmp_path / "a.png", stored)
    values, _ = read(path, kind="mask", classes=3, mask_values={0: 0, 128: 1, 255: 2})
    assert np.array_equal(values, GREY // 80)
    with pytest.raises(ImageError, match=r"undeclared values \[128\]") as raised:
        read(path, kind="mask")
    assert raised.value.kind == "values"
    values, meta = read(path, kind="mask", mask_threshold=200)
    assert np.array_equal(values, stored > 200)
    assert f"{(stored == 128).sum()} of 24 pixels between" in meta["notices"]


def test_a_mask_saved_as_jpeg_needs_a_threshold(tmp_path):
    lesion = np.zeros((32, 48), np.uint8)
    lesion[8:20, 10:30] = 255
    path = save(tmp_path / "a.jpg", lesion)
    with pytest.raises(ImageError, match="a JPEG cannot hold a mask") as raised:
        read(path, kind="mask")
    assert raised.value.kind == "lossy"
    values, meta = read(path, kind="mask", mask_threshold=127)
    assert np.array_equal(values, lesion // 255)
    assert "mask by values above 127" in meta["notices"]


def test_sixteen_bit_and_float_masks(tmp_path):
    lesion = (GREY > 100).astype(np.uint16)
    assert np.array_equal(read(save(tmp_path / "a.png", lesion), kind="mask")[0], lesion)
    assert np.array_equal(read(save(tmp_path / "a.tif", lesion.astype(np.float32)), kind="mask")[0], lesion)
    with pytest.raises(ImageError, match=r"undeclared values \[0\.5\]"):
        read(save(tmp_path / "b.tif", lesion.astype(np.float32) / 2), kind="mask")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"color": "bgr"}, "color must be"),
        ({"non_finite": "keep"}, "non_finite must be"),
        ({"alpha": "grey"}, "alpha must be"),
        ({"frame": -1}, "frame must be"),
        ({"max_bytes": 0}, "max_bytes must be"),
        ({"mask_values": {0: 2}}, "mask_values must lead to"),
    ],
)
def test_wrong_choices_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        MedicalReader(**options)


def test_damage_is_named(tmp_path):
    noise = np.random.RandomState(0).randint(0, 255, (64, 64)).astype(np.uint8)
    path = save(tmp_path / "a.png", noise)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # inside the pixels, where Pillow does not compare the checksum
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: checksum of chunk IDAT differs"):
        read(path)
    path.write_bytes(content[:-12])  # without its last chunk
    with pytest.raises(ImageError, match=r"checksum|truncated"):
        read(path)
    (tmp_path / "b.bmp").write_bytes(b"BM" + bytes(10))
    with pytest.raises(ImageError, match=r"b\.bmp"):
        read_size(tmp_path / "b.bmp")
    with pytest.raises(ImageError, match=r"b\.bmp"):
        read(tmp_path / "b.bmp")
    assert isinstance(LoadImage(reader=MedicalReader())(save(tmp_path / "c.png", noise)), torch.Tensor)
