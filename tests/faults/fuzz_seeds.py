"""Small whole files of every format, from which the fuzzer makes damaged ones."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from .generate import mammogram

SIZE = (64, 48)
"""Rows and columns."""


@dataclass(frozen=True)
class Seed:
    """One file.

    Args:
        name: Short.
        suffix: Of the file's name.
        content: Of the file.
        options: Of the reader.
        sealed: Whether the format's own checksums reveal every change of what is read.
    """

    name: str
    suffix: str
    content: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    sealed: bool = False


def make_seeds() -> list[Seed]:
    """All of them, of the same bytes at every call."""
    grey, deep, colours, lesion = _texture(8), _texture(12), np.stack([_texture(8, k) for k in range(3)], -1), _lesion()
    indexed = Image.fromarray(lesion, "P")
    indexed.putpalette([0, 0, 0, 255, 255, 255])
    mask, rgb = {"kind": "mask"}, {"color": "rgb"}
    nifti = _nifti(deep)
    return [
        Seed("png grey", ".png", _picture(Image.fromarray(grey), "PNG"), sealed=True),
        Seed("png 16 bits", ".png", _picture(Image.fromarray(deep * np.uint16(16)), "PNG"), sealed=True),
        Seed("png rgb", ".png", _picture(Image.fromarray(colours), "PNG"), rgb, sealed=True),
        Seed("png mask", ".png", _picture(indexed, "PNG"), mask, sealed=True),
        Seed("jpeg grey", ".jpg", _picture(Image.fromarray(grey), "JPEG", quality=90)),
        Seed("jpeg rgb", ".jpg", _picture(Image.fromarray(colours), "JPEG", quality=90), rgb),
        Seed("tiff 16 bits", ".tif", _picture(Image.fromarray(deep), "TIFF")),
        Seed("tiff lzw", ".tif", _picture(Image.fromarray(grey), "TIFF", compression="tiff_lzw")),
        Seed("dicom plain", ".dcm", _dicom(deep, ExplicitVRLittleEndian)),
        Seed("dicom big end", ".dcm", _dicom(deep, ExplicitVRBigEndian)),
        Seed("dicom deflate", ".dcm", _dicom(deep, DeflatedExplicitVRLittleEndian)),
        Seed("dicom rle", ".dcm", _dicom(deep, RLELossless)),
        Seed("dicom jpeg2000", ".dcm", _dicom(deep, JPEG2000Lossless)),
        Seed("dicom jpeg-ls", ".dcm", _of_pydicom("MR_small_jpeg_ls_lossless.dcm")),
        Seed("dicom jpeg", ".dcm", _of_pydicom("SC_rgb_jpeg_gdcm.dcm"), rgb),
        Seed("nii", ".nii", nifti),
        Seed("nii.gz", ".nii.gz", gzip.compress(nifti, mtime=0), sealed=True),
        Seed("nii.gz mask", ".nii.gz", gzip.compress(_nifti(lesion), mtime=0), mask, sealed=True),
    ]


def _texture(bits: int, shift: int = 0) -> np.ndarray:
    """Waves and a little noise over a dark border, like a breast."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = 0.5 + 0.2 * np.sin(rows / 7 + shift) + 0.2 * np.cos((rows + 2 * columns) / 11)
    noise = np.random.default_rng(shift).normal(0, 0.01, SIZE)
    inside = columns < 36 + 6 * np.sin(rows / 20)
    values = np.clip((waves + noise) * inside, 0, 1) * ((1 << bits) - 1)
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def _lesion() -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((rows - 30) ** 2 + 2 * (columns - 20) ** 2 < 150).astype(np.uint8)


def _picture(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _nifti(rows_first: np.ndarray) -> bytes:
    image = nibabel.Nifti1Image(rows_first.T, np.diag([0.07, 0.085, 1, 1]))
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


def _of_pydicom(name: str) -> bytes:
    return Path(str(get_testdata_file(name, download=False))).read_bytes()


def _dicom(pixels: np.ndarray, syntax: UID) -> bytes:
    """A mammogram of 12 bits."""
    dataset = mammogram(
        pixels,
        ImageLaterality="L",
        ViewPosition="MLO",
        ImagerPixelSpacing=[0.085, 0.07],
        EstimatedRadiographicMagnificationFactor="1.05",
        WindowCenter=2000,
        WindowWidth=4000,
    )
    if syntax == ExplicitVRBigEndian:
        pixels = pixels.astype(">u2")
        dataset.PixelData = pixels.tobytes()
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        dataset.compress(syntax, pixels, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    pydicom.dcmwrite(
        file, dataset, implicit_vr=False, little_endian=syntax != ExplicitVRBigEndian, enforce_file_format=True
    )
    return file.getvalue()
