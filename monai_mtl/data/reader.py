"""Reader of PNG and JPEG files that reads the right thing or says what is wrong.

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

__all__ = ["IMAGE_SUFFIXES", "MedicalReader", "read_size"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
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

    Raises:
        ValueError: If ``kind`` is unknown or ``classes`` < 2.
    """

    def __init__(self, kind: str = "image", classes: int = 2, **_: Any) -> None:
        super().__init__()
        if kind not in ("image", "mask"):
            raise ValueError(f"kind must be 'image' or 'mask', got '{kind}'")
        if classes < 2:
            raise ValueError(f"classes must be >= 2, got {classes}")
        self.kind = kind
        self.classes = classes

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether the name ends in .png, .jpg or .jpeg."""
        return all(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Sequence[Path]:
        """Note the file names; nothing is opened yet."""
        return [Path(name) for name in ensure_tuple(data)]

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict]:
        """Decode.

        Args:
            img: What :meth:`read` returned: exactly one path.

        Returns:
            Array ``(W, H)`` and its meta data, with ``bits`` and without any spacing: these formats
            state none that can be trusted.

        Raises:
            MissingError: If there is no such file.
            ImageError: If it cannot be read as what it should be.
        """
        if len(img) != 1:
            raise ImageError(f"one file expected, got {len(img)}", img, fix="give one image a case")
        path = img[0]
        picture = _decode(path)
        array = self._mask(picture, path) if self.kind == "mask" else _grey(picture, path)
        meta = {
            "bits": 16 if picture.mode.startswith("I") else 8,
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape[::-1]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.AFFINE: np.eye(3),
            MetaKeys.ORIGINAL_AFFINE: np.eye(3),
            MetaKeys.SPACE: TraceKeys.NONE,
        }
        return np.ascontiguousarray(array.T), meta

    def _mask(self, picture: Image.Image, path: Path) -> np.ndarray:
        if picture.format == "JPEG":
            raise ImageError(f"a JPEG cannot hold a mask: {path}", fix="save masks as PNG")
        array = np.asarray(picture) if picture.mode in ("L", "I", "I;16", "1") else _colour_to_grey(picture, path)
        array = array.astype(np.int64)
        found = np.unique(array)
        if self.classes == 2 and found[-1] == 255 and set(found.tolist()) <= {0, 255}:
            array = array // 255
        elif found[-1] >= self.classes or found[0] < 0:
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
        ImageError: If it is not a PNG or JPEG.
    """
    with _open(Path(path)) as picture:
        exif = Image.Exif()
        exif.load(picture.info.get("exif", b""))  # getexif() would decode the whole of a PNG
        turned = exif.get(0x0112, 1) in (5, 6, 7, 8)
        return picture.size[::-1] if turned else picture.size


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=("PNG", "JPEG"))
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", fix="correct the path") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        reason = "not a PNG or JPEG" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(f"cannot read {path}: {reason}", fix="save the image as PNG or JPEG") from error


def _decode(path: Path) -> Image.Image:
    with _open(path) as picture:
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
    colours = bands[..., :3].astype(np.int16)
    if int((colours.max(axis=2) - colours.min(axis=2)).max()) > GREY_TOLERANCE:
        raise ImageError(f"{path} is a colour image", expected="a grey one", fix="export it without colours")
    return np.asarray(picture.convert("RGB").convert("L"))
