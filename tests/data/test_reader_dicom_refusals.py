"""DICOM that must not pass: each way in which a header or its pixels can promise something else than they hold."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from monai_mtl.data import MedicalReader
from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError, MissingError

from ..faults.dicom import deflate_bomb, j2k, series
from ..faults.generate import mammogram, pixels, real, write_dicom
from ..faults.measure import measured
from .dicom_reading import made, read, refusal

RAW = pixels()
MEGABYTES = 300
"""By which a process may grow: a little more than the largest picture allowed."""


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": None}, "no Rows"),
        ({"PixelRepresentation": None, "BitsStored": None}, "no BitsStored, PixelRepresentation"),
        ({"PixelData": None}, "no PixelData"),
        ({"Rows": 47}, "3072 bytes of pixels"),
        ({"SamplesPerPixel": 3, "PlanarConfiguration": 0}, "3072 bytes of pixels"),
        ({"NumberOfFrames": -1}, "-1 frames"),
        ({"PixelRepresentation": 2}, "Pixel Representation"),
        ({"BitsAllocated": 12}, "2304"),
        ({"BitsStored": 0, "HighBit": 0}, "BitsStored"),
        ({"BitsStored": 20, "HighBit": 19}, "BitsStored"),
        ({"HighBit": 15}, "HighBit"),
        ({"PhotometricInterpretation": ""}, "PhotometricInterpretation"),
        ({"PhotometricInterpretation": "MONOCHROME"}, "PhotometricInterpretation"),
        ({"RescaleSlope": 0}, "RescaleSlope"),
        ({"RescaleSlope": "1e40"}, "rescale slope 1e+40"),
    ],
    ids=str,
)
def test_a_header_that_cannot_be_right(tmp_path, tags, reason):
    assert reason in str(refusal(made(tmp_path, **tags)))


def test_an_empty_rescale_is_none(tmp_path):
    assert np.array_equal(read(made(tmp_path, RescaleSlope="", RescaleIntercept=""))[0], RAW)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"voi": "window"}, "voi must be one of"),
        ({"alpha": "keep"}, "alpha must be one of"),
        ({"frame": -1}, "frame must be >= 0"),
        ({"max_bytes": 0}, "max_bytes must be >= 1"),
    ],
)
def test_an_option_that_there_is_not(option, reason):
    with pytest.raises(ValueError, match=reason):
        MedicalReader(**option)


def test_a_grey_file_is_refused_where_colours_are_needed(tmp_path):
    path = made(tmp_path)
    error = refusal(path, color="rgb", grey_dicom=False)
    assert (error.kind, error.expected) == ("grey", "one in colours")
    assert "MONOCHROME2" in error.what
    assert read(path, color="rgb")[0].shape == (3, *RAW.shape)
    assert np.array_equal(read(path, grey_dicom=False)[0], read(path)[0])  # a reader of grey ones
    assert read(real(tmp_path, "SC_rgb.dcm"), color="rgb", grey_dicom=False)[0].shape[0] == 3


def test_a_file_of_another_modality_is_refused_where_modalities_are_named(tmp_path):
    path = made(tmp_path, Modality="CT")
    error = refusal(path, modalities=["MG", "CR"])
    assert (error.kind, error.expected) == ("modality", "MG, CR")
    assert "is of modality CT" in str(error)
    assert "(none stated)" in str(refusal(made(tmp_path, Modality=""), modalities=["MG"]))
    for accepted in (["CT"], None):
        assert np.array_equal(read(made(tmp_path, Modality="CT"), modalities=accepted)[0], RAW)


def test_pictures_have_no_modality_to_refuse(tmp_path):
    Image.fromarray(RAW.astype(np.uint8)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", modalities=["MG"])[0].shape == RAW.shape


def test_an_empty_name_is_not_taken_for_the_current_folder():
    with pytest.raises(MissingError, match="no image of this name"):
        MedicalReader().get_data([Path("")])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"WindowCenter": 2000, "WindowWidth": 0}, "Window Width"),
        ({"WindowCenter": 2000, "WindowWidth": 1500, "VOILUTFunction": "NOPE"}, "VOI LUT Function"),
    ],
)
def test_a_window_that_cannot_be_right(tmp_path, tags, reason):
    path = made(tmp_path, **tags)
    assert reason in str(refusal(path, voi="voi"))
    assert np.array_equal(read(path)[0], RAW)


@pytest.mark.parametrize("tags", [{}, {"WindowCenter": 2000}, {"WindowWidth": 100}])
def test_without_a_whole_window_none_is_applied_and_none_is_recorded(tmp_path, tags):
    values, meta = read(made(tmp_path, **tags), voi="voi")
    assert np.array_equal(values, RAW)
    assert meta["voi"] == "none"


def test_a_frame_that_is_not_there(tmp_path):
    assert np.array_equal(read(made(tmp_path), frame=0)[0], RAW)
    assert refusal(tmp_path / "a.dcm", frame=1).kind == "frames"


def test_a_transfer_syntax_that_is_none(tmp_path):
    dataset = mammogram()
    dataset.file_meta.TransferSyntaxUID = "1.2.826.0.1.3680043.8.498.9"
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, implicit_vr=False, little_endian=True)
    assert refusal(tmp_path / "a.dcm").kind == "unreadable"


def test_a_header_that_is_cut(tmp_path):
    path = made(tmp_path)
    path.write_bytes(path.read_bytes()[:330])
    refusal(path)
    with pytest.raises(ImageError, match=r"a\.dcm"):
        read_size(path)


def test_a_file_and_a_picture_over_the_limit(tmp_path):
    path = made(tmp_path)
    assert np.array_equal(read(path, max_bytes=4 * RAW.size)[0], RAW)
    assert refusal(path, max_bytes=4 * RAW.size - 1).kind == "budget"
    assert refusal(path, max_bytes=RAW.nbytes).kind == "budget"


def test_jpeg_2000_that_is_damaged_or_of_another_size(tmp_path):
    path = j2k(tmp_path)
    whole = path.read_bytes()
    header = pydicom.dcmread(path)
    header.Rows = 47
    write_dicom(path, header)
    refusal(path)
    start = whole.index(b"\xff\x4f\xff\x51")
    path.write_bytes(whole[:start] + bytes(40) + whole[start + 40 :])
    assert "pip install" not in refusal(path).fix  # the decoder is installed; the file is damaged


def test_rle_that_is_damaged(tmp_path):
    path = real(tmp_path, "MR_small_RLE.dcm")
    content = path.read_bytes()
    start = content.rindex(b"\xfe\xff\x00\xe0", 0, content.rindex(b"\xfe\xff\xdd\xe0")) + 8
    for first in (1, 1 << 31):  # where the first segment starts
        path.write_bytes(content[: start + 4] + struct.pack("<I", first) + content[start + 8 :])
        assert refusal(path).kind == "unreadable"


def test_jpeg_2000_of_more_bits_than_the_header_says(tmp_path):
    stored = RAW | pixels(4, 9).astype(np.uint16) << 12
    dataset = mammogram(stored, BitsStored=16, HighBit=15)
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    dataset.BitsStored, dataset.HighBit, dataset.PhotometricInterpretation = 12, 11, "MONOCHROME1"
    assert np.array_equal(read(write_dicom(tmp_path / "a.dcm", dataset))[0], 4095 - RAW)


STREAMS: dict[str, tuple[Callable[[Path], Path], bytes, int, str, int]] = {
    "JPEG 2000": (j2k, b"\xff\x4f\xff\x51", 8, ">II8xII", 22000),
    "JPEG-LS": (lambda f: real(f, "MR_small_jpeg_ls_lossless.dcm"), b"\xff\xf7", 5, ">HH", 30000),
    "JPEG Lossless": (lambda f: real(f, "JPGLosslessP14SV1_1s_1f_8b.dcm"), b"\xff\xc3", 5, ">HH", 30000),
    "JPEG Extended": (lambda f: real(f, "JPGExtended.dcm"), b"\xff\xc1", 5, ">HH", 30000),
    "JPEG Baseline": (lambda f: real(f, "SC_rgb_jpeg_dcmtk.dcm"), b"\xff\xc0", 5, ">HH", 13000),
}
"""A generator, the marker before the sides (of JPEG 2000 also those of a tile), their distance, type and new length."""


@pytest.mark.parametrize("name", STREAMS)
def test_compressed_pixels_that_claim_to_be_larger_than_the_header_says(tmp_path, name):
    make, marker, distance, sides, large = STREAMS[name]
    path = make(tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(marker, content.index(b"\xff\xd8") if sides == ">HH" else 0) + distance
    struct.pack_into(sides, content, at, *[large] * (len(sides.replace("8x", "")) - 1))
    path.write_bytes(content)
    needed = measured(lambda: str(refusal(path, color="rgb")), patience=5)
    assert needed.failure == ""
    assert needed.megabytes < MEGABYTES
    assert needed.seconds < 1


@pytest.mark.parametrize("length", [0, 1 << 31])
def test_a_deflated_bomb_whose_group_length_lies(tmp_path, length):
    path = deflate_bomb(tmp_path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 140, length)
    path.write_bytes(content)
    needed = measured(lambda: str(refusal(path)))
    assert needed.failure == ""
    assert needed.megabytes < MEGABYTES
    assert needed.seconds < 2


def test_a_folder_lists_its_series_and_no_other_file(tmp_path):
    study = series(tmp_path)
    (study / "README.txt").write_text("Two series.")
    (study / "notes").mkdir()
    error = refusal(study)
    assert error.where == ["series of 2 (MG), such as 0.dcm", "series of 2 (MG), such as 2.dcm"]
    (tmp_path / "empty").mkdir()
    refusal(tmp_path / "empty")
