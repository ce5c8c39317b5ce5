"""MetaImage, NRRD and MINC by ITK: the same numbers as the library gives, spacing only where the file states it."""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_mtl.data import MedicalReader
from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError

GREY = np.arange(6 * 4, dtype=np.uint16).reshape(6, 4) * 100


@pytest.fixture
def itk():
    return pytest.importorskip("itk")


def write(itk, path: Path, array: np.ndarray, spacing: tuple[float, ...] = (0.25, 0.5)) -> Path:
    image = itk.image_from_array(np.ascontiguousarray(array))
    image.SetSpacing(spacing)
    itk.imwrite(image, str(path))
    return path


def read(path: Path, **options) -> tuple[np.ndarray, dict]:
    return MedicalReader(reverse_indexing=False, **options).get_data([path])


@pytest.mark.parametrize(("suffix", "source"), [("mha", "MetaImage"), ("mhd", "MetaImage"), ("nrrd", "NRRD")])
def test_pixels_size_and_spacing(itk, tmp_path, suffix, source):
    path = write(itk, tmp_path / f"a.{suffix}", GREY)
    values, meta = read(path)
    assert np.array_equal(values, GREY)
    assert meta["spacing"].tolist() == [0.25, 0.5]
    assert meta["spacing_source"] == f"{source} header"
    assert meta["bits"] == 16
    assert read_size(path) == (4, 6)


def test_spacing_that_the_file_does_not_state_is_unknown_not_one(itk, tmp_path):
    path = tmp_path / "a.nrrd"
    header = "NRRD0004\ntype: uint16\ndimension: 2\nsizes: 4 6\nendian: little\nencoding: raw\n\n"
    path.write_bytes(header.encode() + GREY.tobytes())
    values, meta = read(path)
    assert np.array_equal(values, GREY)
    assert np.isnan(meta["spacing"]).all()
    assert meta["spacing_source"] == "none"


def test_minc(itk, tmp_path):
    source = Path(nibabel.__file__).parent / "tests" / "data" / "small.mnc"
    path = tmp_path / "small.mnc"
    path.write_bytes(source.read_bytes())
    slices = [read(path, frame=index) for index in range(18)]
    assert {values.shape for values, _ in slices} == {(28, 29)}
    # Mean, least and largest value as nibabel gives them for its file.
    volume = np.stack([values for values, _ in slices])
    assert volume.mean() == pytest.approx(31.2127952, rel=1e-5)
    assert volume.min() == pytest.approx(0.1185331417, rel=1e-5)
    assert volume.max() == pytest.approx(92.87690739, rel=1e-5)
    assert slices[0][1]["spacing"].tolist() == [7.0, 8.0]


def test_a_slice_of_a_volume(itk, tmp_path):
    volume = np.stack([GREY, GREY * 2, GREY * 3])
    path = write(itk, tmp_path / "a.mha", volume, (1.0, 1.0, 2.0))
    assert np.array_equal(read(path, frame=2)[0], GREY * 3)
    for options, reason in (({}, "4 x 6 x 3 voxels"), ({"frame": 3}, "no slice 3")):
        with pytest.raises(ImageError, match=reason) as raised:
            read(path, **options)
        assert raised.value.kind == "frames"
    with pytest.raises(ImageError, match="4 x 6 x 3 voxels"):
        read_size(path)


def test_a_damaged_and_an_oversized_file(itk, tmp_path):
    path = write(itk, tmp_path / "a.mha", GREY)
    with pytest.raises(ImageError, match="96 bytes when decoded") as raised:
        read(path, max_bytes=95)
    assert raised.value.kind == "budget"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match=r"cannot read .*a\.mha"):
        read(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"cannot read .*a\.mha"):
        read(path)


def test_without_itk_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "itk", None)
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(ImageError, match="ITK is not installed") as raised:
        read(tmp_path / "a.nrrd")
    assert "monai-mtl[itk]" in raised.value.fix
