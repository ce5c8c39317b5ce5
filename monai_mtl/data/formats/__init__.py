"""File formats, each decoded to one picture with rows first."""

from pathlib import Path

from .content import IMAGE_SUFFIXES, content_of, refuse_name
from .dicom import list_series, read_dicom, read_dicom_size
from .insight import read_insight, read_insight_size
from .nifti import read_nifti, read_nifti_size
from .options import Decoded, ReadOptions
from .pictures import PICTURES, read_picture, read_picture_size

__all__ = ["IMAGE_SUFFIXES", "Decoded", "ReadOptions", "list_series", "read_any", "read_any_size"]


def read_any(path: Path, options: ReadOptions, mask: bool = False) -> tuple[str, Decoded]:
    """Content and picture of a file of any format.

    Args:
        path: File.
        options: How to read it.
        mask: As in :func:`monai_mtl.data.formats.pictures.read_picture`.

    Returns:
        The name of the format, and the picture.

    Raises:
        MissingError: If there is no such file.
        ImageError: If it cannot be read as one picture, or its name contradicts its content.
    """
    content = content_of(path)
    refuse_name(path, content)
    if content in PICTURES:
        return content, read_picture(path, content, options, mask)
    if content == "DICOM":
        return content, read_dicom(path, options)
    return content, read_nifti(path, options) if content == "NIfTI" else read_insight(path, content, options)


def read_any_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Width and height of a file of any format, from its header.

    Raises:
        MissingError: If there is no such file.
        ImageError: If the header cannot be read.
    """
    content = content_of(path)
    if content in PICTURES:
        return read_picture_size(path, content, options)
    if content == "DICOM":
        return read_dicom_size(path, options)
    return read_nifti_size(path, options) if content == "NIfTI" else read_insight_size(path, options)
