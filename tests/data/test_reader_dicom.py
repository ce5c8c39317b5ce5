"""DICOM: pydicom's own files against their twins and against ITK, and every choice and refusal."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError

from ..faults.dicom_oracle import palette, segmented_palette
from ..faults.generate import first, mammogram, pixels, real
from .dicom_reading import made, read, refusal

RAW = pixels()
BARE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
REAL = Path(os.environ.get("MONAI_MTL_DATA", ".")) / "cbis_ddsm_dicom_mg"


def raw(path: Path) -> np.ndarray:
    return pydicom.dcmread(path).pixel_array


def upright(path: Path) -> np.ndarray:
    """Of a MONOCHROME1 file."""
    return 2 ** pydicom.dcmread(path).BitsStored - 1 - raw(path).astype(int)


def colours(path: Path) -> np.ndarray:
    return first(raw(path))


def of(name: str, oracle):
    """Pixels of another file of pydicom's."""
    return lambda path: oracle(real(path.parent, name))


RGB = {"color": "rgb"}
ORACLES = {
    "RG1_UNCR.dcm": (upright, {}),
    "RG1_J2KR.dcm": (of("RG1_UNCR.dcm", upright), {}),
    "RG3_UNCR.dcm": (upright, {}),
    "RG3_J2KR.dcm": (of("RG3_UNCR.dcm", upright), {}),
    "RG3_J2KI.dcm": (of("RG3_UNCI.dcm", upright), {}),
    "US1_UNCR.dcm": (colours, RGB),
    "US1_J2KR.dcm": (of("US1_UNCR.dcm", colours), RGB),
    "US1_J2KI.dcm": (of("US1_UNCI.dcm", colours), RGB),
    "OBXXXX1A.dcm": (palette, RGB),
    "OBXXXX1A_rle.dcm": (of("OBXXXX1A.dcm", palette), RGB),
    "OBXXXX1A_expb.dcm": (of("OBXXXX1A.dcm", palette), RGB),
    "gdcm-US-ALOKA-16_big.dcm": (of("gdcm-US-ALOKA-16.dcm", segmented_palette), RGB),
    "MR_small_RLE.dcm": (of("MR_small.dcm", raw), {}),
    "MR_small_bigendian.dcm": (of("MR_small.dcm", raw), {}),
    "MR_small_jp2klossless.dcm": (of("MR_small.dcm", raw), {}),
    "MR_small_jpeg_ls_lossless.dcm": (of("MR_small.dcm", raw), {}),
    "SC_rgb_jpeg_gdcm.dcm": (of("SC_rgb.dcm", colours), RGB),
}
"""What is in pydicom's files, by pydicom alone; where there is an uncompressed twin, in that."""


@pytest.mark.parametrize("itk", ["as installed", "absent"])
@pytest.mark.parametrize("name", ORACLES)
def test_a_file_reads_as_its_twin_with_and_without_itk(tmp_path, monkeypatch, name, itk):
    if itk == "absent":
        monkeypatch.setitem(sys.modules, "itk", None)
    oracle, options = ORACLES[name]
    path = real(tmp_path, name)
    # Pieces of a palette are straight lines, which may be rounded or cut.
    assert np.abs(read(path, **options)[0] - oracle(path)).max() <= (1 if "ALOKA" in name else 0)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        *((name, {}, 0) for name in ("RG1_UNCR", "RG3_UNCR", "MR_small", "CT_small", "JPEG-LL", "693_J2KI")),
        *((name, {}, 0) for name in ("JPGLosslessP14SV1_1s_1f_8b", "JPEGLSNearLossless_16")),
        *((name, RGB, 0) for name in ("US1_UNCR", "US1_J2KI", "OBXXXX1A")),
        ("JPGExtended", {}, 1),  # lossy, of 12 bits: decoders round differently
    ],
)
def test_itk_reads_the_same(tmp_path, name, options, tolerance):
    itk = pytest.importorskip("itk")
    path = real(tmp_path, f"{name}.dcm")
    theirs = itk.array_from_image(itk.imread(str(path))).astype(float)
    ours = read(path, **options)[0]
    theirs = theirs.reshape(*ours.shape[-2:], -1)
    theirs = first(theirs) if options else theirs[..., 0]
    assert ours.shape == theirs.shape
    if name == "693_J2KI":  # ITK leaves the padding as it is
        padding = raw(path) == pydicom.dcmread(path).PixelPaddingValue
        ours, theirs = ours[~padding], theirs[~padding]
    assert np.abs(ours - theirs).max() <= tolerance


def labels() -> list[dict[str, str]]:
    with (REAL / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.realdata
def test_real_mammograms():
    rows = labels()
    assert len(rows) == 8
    for row in rows:
        path = REAL / row["image"]
        values, meta = read(path)
        assert np.array_equal(values, raw(path))
        assert values.shape == (int(row["rows"]), int(row["columns"]))
        assert read_size(path) == (int(row["columns"]), int(row["rows"]))
        wanted = {name: row[name] for name in ("laterality", "view", "modality")}
        assert {name: meta[name] for name in wanted} == wanted
        assert meta["bits"] == int(row["bits"])
        assert row["patient"] not in repr(meta)


def test_voi_of_monochrome1_is_inverted_within_the_window(tmp_path):
    path = made(tmp_path, PhotometricInterpretation="MONOCHROME1", WindowCenter=2000, WindowWidth=1500)
    shown = np.clip(((RAW - 1999.5) / 1499 + 0.5) * 4095, 0, 4095)
    assert np.abs(read(path, voi="voi")[0] - (4095 - shown)).max() < 1e-2
    low, high = np.percentile(RAW, (0.5, 99.5))
    assert np.abs(read(path, voi="percentile")[0] - (4095 - np.clip(RAW, low, high))).max() <= 1
    assert np.array_equal(read(path)[0], 4095 - RAW)


@pytest.mark.parametrize(("slope", "intercept"), [(2, -1024), (-1, 4095), (0.5, 0)])
def test_monochrome1_is_inverted_within_its_rescaled_range(tmp_path, slope, intercept):
    path = made(tmp_path, PhotometricInterpretation="MONOCHROME1", RescaleSlope=slope, RescaleIntercept=intercept)
    values = RAW.astype(float) * slope + intercept
    assert np.array_equal(read(path)[0], (4095 * slope + intercept) + intercept - values)


def test_signed_values_of_12_bits(tmp_path):
    values = RAW.astype(int) - 2048
    high = pixels(4, 9).astype(np.uint16) << 12
    stored = (values & 4095).astype(np.uint16) | high
    assert np.array_equal(read(made(tmp_path, stored, PixelRepresentation=1))[0], values)
    path = made(tmp_path, stored, PixelRepresentation=1, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read(path)[0], -1 - values)


@pytest.mark.parametrize("syntax", [*BARE, DeflatedExplicitVRLittleEndian], ids=lambda syntax: syntax.name)
def test_frames_in_every_uncompressed_syntax(tmp_path, syntax):
    held = np.stack([pixels(12, seed) for seed in range(3)])
    path = encoded(tmp_path, syntax, held, Rows=48, NumberOfFrames=3)
    assert refusal(path).kind == "frames"
    for index in range(3):
        assert np.array_equal(read(path, frame=index)[0], held[index])


def test_a_frame_of_an_enhanced_file_has_the_meaning_that_its_groups_state(tmp_path):
    path = real(tmp_path, "eCT_Supplemental.dcm")
    header = pydicom.dcmread(path)
    shared = header.SharedFunctionalGroupsSequence[0]
    intercept = float(shared.PixelValueTransformationSequence[0].RescaleIntercept)
    values, meta = read(path, frame=1)
    assert intercept == -1024
    assert np.array_equal(values, header.pixel_array[1] + intercept)  # ITK 5.4.7 has the same mean, -648.545
    assert meta["spacing"] == pytest.approx([0.388672, 0.388672])
    assert meta["spacing_source"].startswith("PixelSpacing")


def encoded(folder: Path, syntax, held: np.ndarray, **tags) -> Path:
    """Of 16 bits, in a syntax that does not compress them."""
    little = syntax != ExplicitVRBigEndian
    dataset = mammogram(held.reshape(-1, held.shape[-1]), **tags)
    dataset.PixelData = held.astype("<u2" if little else ">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID, dataset["PixelData"].VR = syntax, "OW"
    implicit = syntax == ImplicitVRLittleEndian
    pydicom.dcmwrite(folder / "a.dcm", dataset, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return folder / "a.dcm"


@pytest.mark.parametrize("syntax", BARE, ids=lambda syntax: syntax.name)
def test_a_file_without_preamble_is_read_when_asked(tmp_path, syntax):
    whole = encoded(tmp_path, syntax, RAW).read_bytes()
    path = tmp_path / "bare.dcm"
    path.write_bytes(whole[144 + int.from_bytes(whole[140:144], "little") :])
    assert "force=True" in refusal(path).fix
    assert np.array_equal(read(path, force=True)[0], RAW)
    with pytest.raises(ImageError, match=r"bare\.dcm"):
        read_size(path)


IMAGER = "ImagerPixelSpacing (detector plane)"


@pytest.mark.parametrize(
    ("tags", "spacing", "source"),
    [
        ({"PixelSpacing": [0.1, 0.05]}, [0.05, 0.1], "PixelSpacing"),
        ({"PixelSpacing": [0.1, 0.05], "ImagerPixelSpacing": [0.2, 0.1]}, [0.05, 0.1], "PixelSpacing"),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, [0.1, 0.2], IMAGER),
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, [0.1, 0.2], IMAGER),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.1]}, [0.1, 0.2], IMAGER),
        ({"PixelSpacing": [0.1, -0.1]}, [np.nan, np.nan], "none"),
        ({}, [np.nan, np.nan], "none"),
    ],
)
def test_spacing_and_its_source(tmp_path, tags, spacing, source):
    meta = read(made(tmp_path, **tags))[1]
    assert np.array_equal(meta["spacing"], spacing, equal_nan=True)
    assert meta["spacing_source"] == source


REGION = {"RegionSpatialFormat": 1, "RegionDataType": 1, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3}
REGION |= {"PhysicalDeltaX": 0.01, "PhysicalDeltaY": -0.02, "RegionLocationMinX0": 2, "RegionLocationMinY0": 3}
REGION |= {"RegionLocationMaxX1": 31, "RegionLocationMaxY1": 47}
TRACE = {**REGION, "RegionSpatialFormat": 3, "PhysicalUnitsXDirection": 4}


def regions(*items: dict) -> Sequence:
    made_of = [pydicom.Dataset() for _ in items]
    for dataset, item in zip(made_of, items, strict=True):
        for name, value in item.items():
            if value is not None:
                setattr(dataset, name, value)
    return Sequence(made_of)


US, BOTH = "SequenceOfUltrasoundRegions", [0.1, 0.2]
"""Of the pixels in x and y."""
REGIONS = {
    "one": ([REGION], {}, BOTH, US),
    "one, and the trace of a pulse": ([TRACE, REGION], {}, BOTH, US),
    "two side by side": ([REGION, REGION], {}, None, "none"),
    "none of two dimensions": ([TRACE], {}, None, "none"),
    "not in centimetres": ([REGION | {"PhysicalUnitsYDirection": 4}], {}, None, "none"),
    "no unit": ([REGION | {"PhysicalUnitsXDirection": None}], {}, None, "none"),
    "no size": ([REGION | {"PhysicalDeltaX": 0.0}], {}, None, "none"),
    "no number": ([REGION | {"PhysicalDeltaX": None}], {}, None, "none"),
    "of a larger image": ([REGION | {"RegionLocationMaxX1": 33}], {}, None, "none"),
    "from right to left": ([REGION | {"RegionLocationMinX0": 31}], {}, None, "none"),
    "no place": ([REGION | {"RegionLocationMinY0": None}], {}, None, "none"),
    "no region": ([], {}, None, "none"),
    "another statement that agrees": ([REGION], {"PixelSpacing": [0.2001, 0.1]}, [0.1, 0.2001], "PixelSpacing"),
    "another statement that does not": ([REGION], {"PixelSpacing": [0.1, 0.1]}, None, "none"),
}


@pytest.mark.parametrize("name", REGIONS)
def test_an_ultrasound_has_the_spacing_of_its_one_region_or_none(tmp_path, name):
    items, tags, spacing, source = REGIONS[name]
    _, meta = read(made(tmp_path, SequenceOfUltrasoundRegions=regions(*items), **tags))
    assert meta["spacing_source"] == source
    assert meta["spacing"] == pytest.approx([np.nan, np.nan] if spacing is None else spacing, nan_ok=True)
    assert ("calibrated_xyxy" in meta) == (source == US)
    if source == US:
        assert meta["calibrated_xyxy"].tolist() == [2, 3, 31, 47]


@pytest.mark.parametrize(
    ("name", "spacing"),
    [
        ("OBXXXX1A.dcm", 0.2622878766),  # beside a trace
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", 0.2547669659),
        ("gdcm-US-ALOKA-16.dcm", np.nan),  # two regions
        ("examples_palette.dcm", np.nan),  # cut since: its region ends below the image
    ],
)
def test_real_ultrasound_has_the_spacing_that_is_sure(tmp_path, name, spacing):
    _, meta = read(real(tmp_path, name), color="rgb")
    assert meta["spacing"] == pytest.approx([spacing] * 2, nan_ok=True)


def test_spacing_is_corrected_for_magnification(tmp_path):
    meta = read(made(tmp_path, ImagerPixelSpacing=[0.21, 0.14], EstimatedRadiographicMagnificationFactor=1.4))[1]
    assert meta["spacing"] == pytest.approx([0.1, 0.15])
    assert meta["spacing_source"] == "ImagerPixelSpacing / magnification"


@pytest.mark.parametrize(
    ("tags", "side", "view"),
    [
        ({"ImageLaterality": "L", "ViewPosition": "MLO"}, "L", "MLO"),
        ({"Laterality": "R", "PatientOrientation": "CC"}, "R", "CC"),
        ({"ImageLaterality": "U", "PatientOrientation": ["A", "FR"]}, "", ""),
        ({"ImageLaterality": "B", "ViewPosition": "DOE"}, "B", ""),
    ],
)
def test_side_and_view_are_taken_from_a_white_list(tmp_path, tags, side, view):
    meta = read(made(tmp_path, **tags))[1]
    assert (meta["laterality"], meta["view"]) == (side, view)
