"""What the cases are made of: pixels without symmetry, and files around them."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

ROWS, COLUMNS = 48, 32


def pixels(bits: int = 12, seed: int = 0) -> np.ndarray:
    """Random values ``(48, 32)`` that use the whole range."""
    values = np.random.default_rng(seed).integers(0, 1 << bits, (ROWS, COLUMNS))
    values[0, 1], values[5, 2] = 0, (1 << bits) - 1
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def colours(seed: int = 0) -> np.ndarray:
    """Random colours ``(48, 32, 3)``."""
    return np.stack([pixels(8, seed + k) for k in range(3)], -1)


def lesion() -> np.ndarray:
    """A mask of 0 and 1, off the middle."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return ((y - 14) ** 2 + 2 * (x - 20) ** 2 < 90).astype(np.uint8)


def first(array: np.ndarray) -> np.ndarray:
    """Colours ``(H, W, 3)`` as the reader gives them, ``(3, H, W)``."""
    return np.moveaxis(array, -1, 0)


def mammogram(stored: np.ndarray | None = None, **tags: Any) -> FileDataset:
    """A data set of 12 bits and one frame; ``tags`` are set, those that are None removed."""
    stored = pixels() if stored is None else stored
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = UID("1.2.826.0.1.3680043.8.498.1")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation = "MG", "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.BitsAllocated = 8 * stored.dtype.itemsize
    dataset.BitsStored = 12 if stored.dtype == np.uint16 else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
    dataset.PixelData = stored.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def write_dicom(path: Path, dataset: FileDataset) -> Path:
    """With preamble and all."""
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def real(folder: Path, name: str) -> Path:
    """A file of pydicom's own, copied; nothing is downloaded."""
    found = get_testdata_file(name, download=False)
    if found is None:
        raise FileNotFoundError(f"{name}: pip install pydicom-data")
    return Path(shutil.copy(str(found), folder / name))


def picture(path: Path, array: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    """Saved by Pillow in the format of the name."""
    made = Image.fromarray(array)
    (made.convert(mode) if mode else made).save(path, **options)
    return path


def png(path: Path, width: int, height: int, depth: int, colour: int, rows: Any, level: int = 1) -> Path:
    """A PNG that Pillow would not write.

    Args:
        path: File.
        width: Pixels, as the header says.
        height: As there.
        depth: Bits a sample.
        colour: Type of PNG.
        rows: Bytes of rows with their filter bytes, in pieces.
        level: Of compression.
    """
    packer = zlib.compressobj(level)
    data = b"".join([*(packer.compress(piece) for piece in rows), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    body = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))
    return path


def cut(path: Path, keep: float) -> Path:
    """The file, shortened to this part."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path
