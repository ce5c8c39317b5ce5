"""One frame of a DICOM file, in MONOCHROME2 polarity, with no more of its header than is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from ...errors import ImageError
from .codestream import stated_size
from .dicom_header import FAULTS, Plain, check_promises, read_header, use_frame_groups
from .dicom_meaning import describe, physical_values
from .options import COPY, Decoded, ReadOptions, shorten

__all__ = ["list_series", "read_dicom", "read_dicom_size"]


def read_dicom(path: Path, options: ReadOptions) -> Decoded:
    """Decode a single frame.

    Modality LUT or rescale are applied, then what ``options.voi`` says; MONOCHROME1 is inverted within its
    range, so that larger is always brighter, and padding is made dark; a palette becomes colours.

    Args:
        path: File.
        options: ``voi``, ``frame``, ``force`` and ``max_bytes`` count.

    Returns:
        Array ``(H, W)`` or ``(H, W, 3)``, bits stored, and meta data without identity.

    Raises:
        ImageError: If the file is damaged, holds no single frame and none is chosen, or is too large.
    """
    header, plain = read_header(path, options)
    frames = check_promises(header, path, plain, options)
    try:
        array = _pixels(header, path, plain, options.frame if frames > 1 else None)
        use_frame_groups(header, options.frame or 0)
        if array.shape[:2] != (header.Rows, header.Columns):
            raise ValueError(f"decoded {array.shape[:2]} pixels, the header says {header.Rows} x {header.Columns}")
        array, notices = physical_values(array, header, options.voi)
        meta = describe(header, options.voi) | {"notices": notices}
    except FAULTS as error:
        raise ImageError(f"cannot decode {path}: {shorten(error)}", fix=_fix(error)) from error
    return Decoded(array, int(header.BitsStored), meta)


def read_dicom_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged.
    """
    try:
        wanted = ["Rows", "Columns"]
        header = pydicom.dcmread(path, specific_tags=wanted, stop_before_pixels=True, force=options.force)
        return int(header.Columns), int(header.Rows)
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error


def list_series(folder: Path) -> list[str]:
    """One line for each DICOM series in a folder: modality, number of files, and the name of one."""
    found: dict[str, list[Path]] = {}
    modality: dict[str, str] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        try:
            header = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID", "Modality"], stop_before_pixels=True)
        except FAULTS:
            continue  # not DICOM
        series = str(header.get("SeriesInstanceUID") or "")
        found.setdefault(series, []).append(path)
        modality[series] = str(header.get("Modality") or "?")
    return [f"series of {len(files)} ({modality[name]}), such as {files[0].name}" for name, files in found.items()]


def _pixels(header: pydicom.Dataset, path: Path, plain: Plain | None, index: int | None) -> np.ndarray:
    if plain:
        # Mapped where they lie in the file: pydicom would copy them more than once.
        shape = (int(header.Rows), int(header.Columns))
        return np.asarray(np.memmap(path, "<u2", "r", plain.offset, shape))
    # One decoder a syntax, so that the result does not depend on what else is installed.
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax != RLELossless:
        _refuse_other_size(header, index or 0)
    plugin = ("pillow" if syntax == JPEGBaseline8Bit else "pylibjpeg") if syntax.is_compressed else ""
    try:
        return pixel_array(header, index=index, decoding_plugin=plugin)
    except BaseException as error:
        if type(error).__module__ == "pyo3_runtime":  # a panic of the RLE decoder, which is written in Rust
            raise ValueError("the compressed pixels are damaged") from error
        raise


def _refuse_other_size(header: pydicom.Dataset, index: int) -> None:
    """Decoders believe the size in the compressed stream, and one of another size costs them minutes and gigabytes."""
    stream = get_frame(header.PixelData, index, number_of_frames=int(header.get("NumberOfFrames") or 1))
    expected = (int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel") or 1))
    if (stated := stated_size(stream)) != expected:
        raise ValueError(f"its compressed pixels state {stated} rows, columns and samples, its header {expected}")


def _fix(error: BaseException) -> str:
    return "pip install 'monai-mtl[jpeg]'" if "missing dependencies" in str(error) else COPY
