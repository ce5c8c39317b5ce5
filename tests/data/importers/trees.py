"""Small files of the kinds that data sets are made of."""

from __future__ import annotations

import csv
import plistlib
import struct
from pathlib import Path

import numpy as np
import openpyxl
import pydicom
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def pictures(folder: Path, *names: str, mode: str = "L") -> None:
    """Images of 4 x 3 pixels, black."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new(mode, (4, 3)).save(folder / name)


def write_csv(path: Path, columns: str, *rows: str, delimiter: str = ",") -> None:
    """A table; columns and cells are given with commas and may hold neither commas nor quotes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(line.split(",") for line in (columns, *rows))


def write_xlsx(path: Path, grid: list[list]) -> None:
    book = openpyxl.Workbook()
    for row in grid:
        book.active.append(row)
    book.save(path)


def write_xls(path: Path, grid: list[list]) -> None:
    """A workbook of Excel 2: a stream of records with an id, a length and a cell."""
    records = [struct.pack("<HHHH", 0x0009, 4, 2, 0x10)]
    for r, row in enumerate(grid):
        for c, cell in enumerate(row):
            at = struct.pack("<HHxxx", r, c)
            if isinstance(cell, str):
                text = cell.encode()
                body, kind = at + bytes([len(text)]) + text, 0x0004
            else:
                body, kind = at + struct.pack("<d", cell), 0x0003
            records.append(struct.pack("<HH", kind, len(body)) + body)
    path.write_bytes(b"".join(records) + struct.pack("<HH", 0x000A, 0))


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    """An image of 8 or 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = data.BitsStored - 1, 0, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = pixels.tobytes()
    data.save_as(path, enforce_file_format=True)


def region(name: str, *points: str) -> dict:
    """A region of interest as OsiriX writes it."""
    return {"Name": name, "NumberOfPoints": len(points), "Point_px": list(points)}


def write_regions(path: Path, *regions: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plistlib.dumps({"Images": [{"NumberOfROIs": len(regions), "ROIs": list(regions)}]}))
