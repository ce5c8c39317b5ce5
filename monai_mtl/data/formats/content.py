"""What a file is, by its content; its name has to agree."""

from __future__ import annotations

from pathlib import Path

from ...errors import ImageError, MissingError

__all__ = ["IMAGE_SUFFIXES", "content_of", "refuse_name", "without_suffix"]

NAMES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "DICOM": (".dcm",),
    "NIfTI": (".nii", ".nii.gz"),
    "MetaImage": (".mha", ".mhd"),
    "NRRD": (".nrrd", ".nhdr"),
    "MINC": (".mnc",),
}
IMAGE_SUFFIXES = tuple(suffix for suffixes in NAMES.values() for suffix in suffixes)
STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"NRRD": "NRRD",
    b"\x89HDF\r\n\x1a\n": "MINC",
    b"CDF\x01": "MINC",
    b"CDF\x02": "MINC",
    b"\x1f\x8b": "NIfTI",
}
NIFTI_HEADERS = (348, 540)


def content_of(path: Path) -> str:
    """Format of a file, one of the keys of :data:`NAMES`.

    Raises:
        MissingError: If there is no such file.
        ImageError: If it cannot be opened or is of no known format.
    """
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", fix="correct the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"cannot read {path}: {reason}", fix="give a file that can be read") from error
    if start[128:] == b"DICM":
        return "DICOM"
    found = next((name for magic, name in STARTS.items() if start.startswith(magic)), None)
    if found is None:
        header = start[:4]
        if {int.from_bytes(header, "little"), int.from_bytes(header, "big")} & set(NIFTI_HEADERS):
            found = "NIfTI"
        elif named := _named(path):
            # These have no magic bytes, so the name is all there is; the decoder has the last word.
            found = named if named in ("DICOM", "NIfTI", "MetaImage", "MINC") and start else None
    if found is None:
        what = "it is empty" if not start else "not an image of a known format"
        fix = "save the image as PNG, JPEG, TIFF, DICOM or NIfTI"
        raise ImageError(f"cannot read {path}: {what}", fix=fix)
    return found


def refuse_name(path: Path, content: str) -> None:
    """Refuse a file whose name promises something else than it holds.

    DICOM files may have any name that no other format claims: archives leave the suffix out, or number them.

    Raises:
        ImageError: If name and content disagree.
    """
    named = _named(path)
    if named == content or (content == "DICOM" and named is None):
        return
    expected = " or ".join(NAMES[content])
    what = f"{path} is a {content} file by its content"
    raise ImageError(what, expected=f"a name that ends in {expected}", fix="rename it", kind="name")


def without_suffix(path: Path) -> Path:
    """The path without its suffix, which may be the double one of NIfTI.

    >>> without_suffix(Path("a/b.1.nii.gz")), without_suffix(Path("b.1.png"))
    (PosixPath('a/b.1'), PosixPath('b.1'))
    """
    short = path.with_suffix("")
    return short.with_suffix("") if short.suffix.lower() == ".nii" and path.suffix.lower() == ".gz" else short


def _named(path: Path) -> str | None:
    name = path.name.lower()
    return next((content for content, suffixes in NAMES.items() if name.endswith(suffixes)), None)
