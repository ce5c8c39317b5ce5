"""Padding of DICOM images: dark whatever the polarity, by the stored values, and nothing else is moved."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from ..faults.generate import pixels, real
from .dicom_reading import made, read

FRAME = np.zeros((48, 32), bool)
FRAME[:, :9] = FRAME[40:] = True
SLOPE, INTERCEPT = 0.5, -30.0


def padded_file(folder, polarity: str, signed: bool, fill: tuple[int, int], **tags):
    """A file whose frame holds ``fill``, and what its other pixels hold as stored."""
    stored = pixels(48).astype(int) % 3000 + 200 - (2048 if signed else 0)
    stored[FRAME] = np.where(np.indices(FRAME.shape)[0] % 2, *fill)[FRAME]
    file = made(
        folder,
        (stored & 0xFFFF).astype(np.uint16),
        PixelRepresentation=int(signed),
        BitsStored=16 if signed else 12,
        HighBit=15 if signed else 11,
        PhotometricInterpretation=polarity,
        **tags,
    )
    return file, stored


def upright(stored, polarity: str, signed: bool, slope: float = 1, intercept: float = 0):
    low, high = (-32768, 32767) if signed else (0, 4095)
    values = stored * slope + intercept
    return (low + high) * slope + 2 * intercept - values if polarity == "MONOCHROME1" else values


@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("limit", ["no limit", "limit above", "limit below"])
@pytest.mark.parametrize(("signed", "pad"), [(False, 0), (False, 4095), (True, -2000), (True, 2000)])
@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_gets_the_darkest_value_of_the_image(tmp_path, caplog, polarity, signed, pad, limit, rescaled):
    other = pad if limit == "no limit" else pad + (40 if pad <= 0 else -40)
    value, end = (other, pad) if limit == "limit below" else (pad, other)
    kind = "SS" if signed else "US"
    scale = {"RescaleSlope": SLOPE, "RescaleIntercept": INTERCEPT} if rescaled else {}
    file, stored = padded_file(tmp_path, polarity, signed, (value, end), **scale)
    header = pydicom.dcmread(file)
    header.add_new("PixelPaddingValue", kind, value)
    if limit != "no limit":
        header.add_new("PixelPaddingRangeLimit", kind, end)
    header.save_as(file)
    wanted = upright(stored, polarity, signed, *((SLOPE, INTERCEPT) if rescaled else ()))
    wanted = np.where(FRAME, wanted[~FRAME].min(), wanted)
    found, meta = read(file)
    assert np.array_equal(found, wanted)
    assert meta["notices"] == f"{FRAME.sum()} of {FRAME.size} pixels are padding, now as dark as the darkest"
    assert meta["notices"] in caplog.text


def test_without_the_tag_and_where_no_pixel_holds_it_nothing_changes(tmp_path):
    file, stored = padded_file(tmp_path, "MONOCHROME1", False, (0, 4095))
    found, meta = read(file)
    assert np.array_equal(found, 4095 - stored)
    assert meta["notices"] == ""
    for tags in ({"PixelPaddingValue": 1}, {"PixelPaddingRangeLimit": 0}, {"PixelPaddingValue": None}):
        header = pydicom.dcmread(file)
        for name, value in tags.items():
            header.add_new(name, "US", value)
        header.save_as(tmp_path / "tagged.dcm")
        assert np.array_equal(read(tmp_path / "tagged.dcm")[0], found)


def test_an_image_of_padding_alone_stays_as_it_is(tmp_path):
    file = made(tmp_path, np.full((4, 5), 7, np.uint16))
    header = pydicom.dcmread(file)
    header.add_new("PixelPaddingValue", "US", 7)
    header.save_as(file)
    assert np.array_equal(read(file)[0], np.full((4, 5), 7))
    assert np.array_equal(read(file, voi="percentile")[0], np.full((4, 5), 7))


@pytest.mark.parametrize(("signed", "kind", "stated"), [(True, "US", 63536), (False, "SS", -1)])
def test_a_number_of_the_other_sign_is_the_same_word(tmp_path, signed, kind, stated):
    stored = pixels(8).astype(int)
    stored[0] = -2000 if signed else 65535
    bits = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": int(signed)}
    file = made(tmp_path, (stored & 0xFFFF).astype(np.uint16), PhotometricInterpretation="MONOCHROME2", **bits)
    header = pydicom.dcmread(file)
    header.add_new("PixelPaddingValue", kind, stated)
    header.save_as(file)
    assert (read(file)[0][0] == stored[1:].min()).all()


def test_percentiles_and_windows_are_those_of_the_image(tmp_path):
    file, stored = padded_file(tmp_path, "MONOCHROME2", False, (4095, 4095), WindowCenter=1000, WindowWidth=500)
    header = pydicom.dcmread(file)
    header.add_new("PixelPaddingValue", "US", 4095)
    header.save_as(file)
    low, high = np.percentile(stored[~FRAME], (0.5, 99.5)).astype(int)
    clipped = np.clip(stored, low, high)
    assert np.array_equal(read(file, voi="percentile")[0], np.where(FRAME, low, clipped))
    assert (read(file, voi="voi")[0][FRAME] == 0).all()


def test_a_real_one_is_as_its_stored_values_say(tmp_path):
    file = real(tmp_path, "693_J2KI.dcm")
    header = pydicom.dcmread(file)
    values = header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept)
    padding = header.pixel_array == -2000
    assert padding.sum() == 494
    assert np.array_equal(read(file)[0], np.where(padding, values[~padding].min(), values))
