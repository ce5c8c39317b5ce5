"""The size that a compressed stream states, against the decoder's own, and streams that lie."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEG2000, RLELossless

from monai_mtl.data import MedicalReader
from monai_mtl.data.formats.codestream import stated_size
from monai_mtl.errors import ImageError

FILES = (
    "JPEG2000.dcm",
    "US1_J2KR.dcm",
    "JPEG-LL.dcm",
    "JPEG-lossy.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
)


@pytest.mark.parametrize("name", FILES)
def test_size_of_real_streams(name):
    header = pydicom.dcmread(get_testdata_file(name, download=False))
    assert header.file_meta.TransferSyntaxUID != RLELossless
    stream = get_frame(header.PixelData, 0, number_of_frames=1)
    assert stated_size(stream) == (header.Rows, header.Columns, header.SamplesPerPixel)


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51\x00", b"\xff\xd8\xff\xfe\x00\x04ab"]
)
def test_a_stream_without_a_size_is_refused(stream):
    with pytest.raises(ValueError, match="state no size"):
        stated_size(stream)


@pytest.mark.parametrize("sides", [(30_000, 30_000), (0, 0)])
def test_a_stream_that_promises_another_size_never_reaches_the_decoder(tmp_path, monkeypatch, sides):
    header = pydicom.dcmread(get_testdata_file("JPEG2000.dcm", download=False))
    stream = bytearray(get_frame(header.PixelData, 0, number_of_frames=1))
    at = stream.find(b"\xff\x4f\xff\x51")
    for place, side in zip((8, 12, 24, 28), sides * 2, strict=True):
        stream[at + place : at + place + 4] = side.to_bytes(4, "big")
    header.PixelData = encapsulate([bytes(stream)])
    header.file_meta.TransferSyntaxUID = JPEG2000
    header.save_as(tmp_path / "a.dcm")
    monkeypatch.setattr("monai_mtl.data.formats.dicom.pixel_array", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=r"a\.dcm: its compressed pixels state"):
        MedicalReader().get_data([tmp_path / "a.dcm"])


def test_a_unit_that_means_nothing_is_refused(tmp_path: Path):
    image = nibabel.Nifti1Image(np.zeros((4, 3), np.int16), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[123] = 6
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match="unit of space 6"):
        MedicalReader().get_data([tmp_path / "a.nii"])


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("micron", 1e-3), ("meter", 1e3), ("unknown", 1.0)])
def test_spacing_is_in_millimetres_whatever_the_unit(tmp_path: Path, unit: str, factor: float):
    image = nibabel.Nifti1Image(np.zeros((4, 3), np.int16), np.diag([0.5, 0.25, 1, 1]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    _, meta = MedicalReader().get_data([tmp_path / "a.nii"])
    assert meta["spacing"] == pytest.approx([0.5 * factor, 0.25 * factor])
    assert meta["spacing_source"] == ("pixdim (no unit stated, taken as mm)" if unit == "unknown" else "pixdim")
