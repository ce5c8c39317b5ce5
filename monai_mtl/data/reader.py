"""Reader of PNG, JPEG, DICOM and NIfTI files that reads the right thing or says what is wrong.

A MONAI ``ImageReader``: name it in any ``LoadImaged`` as ``"reader": "monai_mtl.data.MedicalReader"``.
Arrays come in MONAI's order, first axis x (width), second y (height); a ``Transposed`` makes them rows
first for a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, TraceKeys, ensure_tuple
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import ImageError, MissingError
from .formats import read_dicom, read_dicom_size, read_nifti, read_nifti_size
from .formats.dicom import VOI_RULES

__all__ = ["IMAGE_SUFFIXES", "MedicalReader", "read_size"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".nii", ".nii.gz")
NAMED_SO = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "dicom": (".dcm", ""), "nifti": (".nii", ".gz")}
GREY_TOLERANCE = 8
"""Largest difference between colour channels, of 255, that JPEG leaves in a grey picture."""


class MedicalReader(ImageReader):
    """Reads one grey image or one mask.

    A failure is raised by :meth:`get_data`, not by :meth:`read`, because ``LoadImage`` answers a failing
    ``read`` by trying other readers.

    Args:
        kind: ``"image"`` gives grey values as stored (float32, 8 or 16 bits); the meta key ``bits`` says
            which. ``"mask"`` gives class indices (uint8).
        classes: Number of mask classes ``K``. A mask holds 0..K-1; with two classes also 0 and 255.
        voi: For DICOM: ``"none"`` keeps the values after the modality LUT or rescale, ``"voi"`` applies the
            VOI LUT or window of the file too.
        max_bytes: Largest float32 image that is decoded; compared with the header first.

    Raises:
        ValueError: If ``kind`` or ``voi`` is unknown or ``classes`` < 2.
    """

    def __init__(
        self, kind: str = "image", classes: int = 2, voi: str = "none", max_bytes: int = 1 << 29, **_: Any
    ) -> None:
        super().__init__()
        if kind not in ("image", "mask"):
            raise ValueError(f"kind must be 'image' or 'mask', got '{kind}'")
        if classes < 2:
            raise ValueError(f"classes must be >= 2, got {classes}")
        if voi not in VOI_RULES:
            raise ValueError(f"voi must be one of {VOI_RULES}, got '{voi}'")
        self.kind = kind
        self.classes = classes
        self.voi = voi
        self.max_bytes = max_bytes

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether the name ends in one of :data:`IMAGE_SUFFIXES`."""
        return all(str(name).lower().endswith(IMAGE_SUFFIXES) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Sequence[Path]:
        """Note the file names; nothing is opened yet."""
        return [Path(name) for name in ensure_tuple(data)]

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict]:
        """Decode.

        Args:
            img: What :meth:`read` returned: exactly one path.

        Returns:
            Array ``(W, H)`` and its meta data, with ``bits``, ``spacing`` in x and y (mm, nan where the file
            states none, as PNG and JPEG never do) and ``spacing_source``; from DICOM also ``modality``,
            ``laterality``, ``view``, ``photometric`` (as stored) and ``voi``. The affine of an image without
            spacing counts pixels.

        Raises:
            MissingError: If there is no such file.
            ImageError: If it cannot be read as what it should be.
        """
        if len(img) != 1:
            raise ImageError(f"one file expected, got {len(img)}", img, fix="give one image a case")
        path = img[0]
        kind = _format(path)
        meta: dict[str, Any] = {"spacing": np.full(2, np.nan), "spacing_source": "none"}
        if kind == "picture":
            picture = _decode(path, self.max_bytes)
            kind, bits = str(picture.format), 16 if picture.mode.startswith("I") else 8
            array = self._mask_values(picture, path) if self.kind == "mask" else _grey(picture, path)
        else:
            array, bits, found = (
                read_dicom(path, self.voi, self.max_bytes) if kind == "dicom" else read_nifti(path, self.max_bytes)
            )
            meta |= found
            array = _without_colours(array, path) if array.ndim == 3 else array
        _refuse_name(path, kind)
        array = self._mask(array, path) if self.kind == "mask" else array.astype(np.float32, copy=False)
        if not np.isfinite(array).all():
            raise ImageError(f"{path} holds values that are not finite", fix="repair the image")
        affine = np.diag([*np.nan_to_num(meta["spacing"], nan=1.0), 1.0])
        meta |= {
            "bits": bits,
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape[::-1]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPACE: TraceKeys.NONE,
        }
        return np.ascontiguousarray(array.T), meta

    def _mask_values(self, picture: Image.Image, path: Path) -> np.ndarray:
        if picture.format == "JPEG":
            raise ImageError(f"a JPEG cannot hold a mask: {path}", fix="save masks as PNG")
        return np.asarray(picture) if picture.mode in ("L", "I", "I;16", "1") else _colour_to_grey(picture, path)

    def _mask(self, array: np.ndarray, path: Path) -> np.ndarray:
        found = np.unique(array)
        if self.classes == 2 and found[-1] == 255 and set(found.tolist()) <= {0, 255}:
            array = array // 255
        elif not set(found.tolist()) <= set(range(self.classes)):
            raise ImageError(
                f"mask with undeclared values {found[:12].tolist()}: {path}",
                expected=f"0..{self.classes - 1}" + (", or 0 and 255" if self.classes == 2 else ""),
                fix="write one value a class, lossless",
            )
        return array.astype(np.uint8)


def read_size(path: PathLike) -> tuple[int, int]:
    """Width and height in pixels as :class:`MedicalReader` would give them, from the header alone.

    Raises:
        MissingError: If there is no such file.
        ImageError: If it is none of the formats read here.
    """
    path = Path(path)
    kind = _format(path)
    if kind != "picture":
        return read_dicom_size(path) if kind == "dicom" else read_nifti_size(path)
    with _open(path) as picture:
        exif = Image.Exif()
        exif.load(picture.info.get("exif", b""))  # getexif() would decode the whole of a PNG
        turned = exif.get(0x0112, 1) in (5, 6, 7, 8)
        return picture.size[::-1] if turned else picture.size


def _format(path: Path) -> str:
    """What the content is, whatever the name says."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", fix="correct the path") from error
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}", fix="give a file that can be read") from error
    if start[128:] == b"DICM":
        return "dicom"
    nifti = start[:2] == b"\x1f\x8b" or path.suffix.lower() == ".nii"
    return "nifti" if nifti else "picture"


def _refuse_name(path: Path, kind: str) -> None:
    if path.suffix.lower() not in NAMED_SO[kind]:
        raise ImageError(
            f"{path} is a {kind} file by its content", expected=" or ".join(NAMED_SO[kind]), fix="rename it"
        )


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=("PNG", "JPEG"))
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", fix="correct the path") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        reason = "not a PNG or JPEG, DICOM or NIfTI" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(f"cannot read {path}: {reason}", fix="save the image as PNG, JPEG, DICOM or NIfTI") from error


def _decode(path: Path, max_bytes: int) -> Image.Image:
    with _open(path) as picture:
        needed = 4 * picture.width * picture.height * len(picture.getbands())
        if needed > max_bytes:
            what = f"{path} says {picture.width} x {picture.height} pixels, {needed} bytes when decoded"
            raise ImageError(
                what, expected=f"at most {max_bytes}", fix="raise max_bytes of MedicalReader if it is right"
            )
        if getattr(picture, "n_frames", 1) > 1:
            raise ImageError(f"{path} holds {picture.n_frames} frames", expected="one", fix="save one frame a file")
        try:
            picture.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise ImageError(f"cannot read {path}: {error}", fix="copy or export the file again") from error
        upright = ImageOps.exif_transpose(picture)
        upright.format = picture.format
        return upright


def _grey(picture: Image.Image, path: Path) -> np.ndarray:
    if picture.mode in ("L", "I", "I;16"):
        return np.asarray(picture).astype(np.float32)
    return _colour_to_grey(picture, path).astype(np.float32)


def _colour_to_grey(picture: Image.Image, path: Path) -> np.ndarray:
    """Grey values of a picture that is stored in colour but shows none."""
    bands = np.asarray(picture.convert("RGBA"))
    if bands[..., 3].min() < 255:
        raise ImageError(f"{path} is partly transparent", fix="flatten it to a grey image")
    return _without_colours(bands[..., :3], path)


def _without_colours(bands: np.ndarray, path: Path) -> np.ndarray:
    colours = bands.astype(np.int16)
    if int((colours.max(axis=2) - colours.min(axis=2)).max()) > GREY_TOLERANCE:
        raise ImageError(f"{path} is a colour image", expected="a grey one", fix="export it without colours")
    return np.asarray(Image.fromarray(np.ascontiguousarray(bands, dtype=np.uint8)).convert("L"))
