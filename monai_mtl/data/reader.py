"""Reader of medical images that reads the right thing or says what is wrong.

A MONAI ``ImageReader``: name it in any ``LoadImaged`` as ``"reader": "monai_mtl.data.MedicalReader"``.
What it gives depends on the file and its arguments only, never on which packages are installed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, TraceKeys, ensure_tuple

from ..errors import ImageError, MissingError
from .colours import grey_of
from .formats import IMAGE_SUFFIXES, Decoded, ReadOptions, list_series, read_any, read_any_size
from .mask_values import class_indices
from .naming import name_of

__all__ = ["IMAGE_SUFFIXES", "MedicalReader", "read_again", "read_size"]

logger = logging.getLogger("monai_mtl")

STRIP = 64


class MedicalReader(ImageReader):
    """Reads one picture or one mask: PNG, JPEG, TIFF, BMP, DICOM, NIfTI; MetaImage, NRRD, MINC where ITK is installed.

    A failure is raised by :meth:`get_data`, not by :meth:`read`, because ``LoadImage`` answers a failing
    ``read`` by trying other readers. docs/reference/reader.md holds every rule.

    Args:
        kind: ``"image"`` gives values as stored (float32); the meta key ``bits`` says of how many bits.
            ``"mask"`` gives class indices (uint8).
        classes: Number of mask classes ``K``. A mask holds 0..K-1; with two classes also 0 and 255.
        color: ``"grey"`` refuses pictures that show colours; ``"rgb"`` gives three channels of any picture.
        voi: For DICOM, after the modality LUT or rescale: ``"none"``, ``"voi"`` (the file's VOI LUT or window)
            or ``"percentile"`` (clipped to the 0.5th and 99.5th percentile).
        alpha: What becomes of partly transparent pictures: ``"refuse"``, ``"drop"`` (the channel),
            ``"black"`` or ``"white"`` (behind it).
        exif: Whether photographs are turned upright as they say; TIFF always is.
        frame: Index of the frame or slice to read from files that hold several, which are refused otherwise.
        non_finite: ``"refuse"`` values that are not finite, or make them ``"zero"`` with a notice.
        mask_values: Class of each stored value or palette index of a mask.
        mask_threshold: Stored values above it are class 1; needed for masks that were saved as JPEG.
        force: Whether a DICOM file without its preamble is read.
        reverse_indexing: Whether the first axis is x (width), as in MONAI; ``False`` gives rows first.
        max_bytes: Largest float32 picture that is decoded; compared with the header first.
        modalities: For DICOM: the ``Modality`` that a file must have, one of these, such as ``("MG",)``; any if
            ``None``. Other formats do not say theirs.
        grey_dicom: Whether ``color="rgb"`` takes a DICOM file that is stored in grey.

    Raises:
        ValueError: If an argument is none of these.
    """

    def __init__(
        self,
        kind: str = "image",
        classes: int = 2,
        color: str = "grey",
        voi: str = "none",
        alpha: str = "refuse",
        exif: bool = True,
        frame: int | None = None,
        non_finite: str = "refuse",
        mask_values: Mapping[Any, int] | None = None,
        mask_threshold: float | None = None,
        force: bool = False,
        reverse_indexing: bool = True,
        max_bytes: int = 1 << 28,
        modalities: Sequence[str] | None = None,
        grey_dicom: bool = True,
        **_: Any,
    ) -> None:
        super().__init__()
        for name, value, choices in (
            ("kind", kind, ("image", "mask")),
            ("color", color, ("grey", "rgb")),
            ("non_finite", non_finite, ("refuse", "zero")),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {choices}, got '{value}'")
        if classes < 2:
            raise ValueError(f"classes must be >= 2, got {classes}")
        self.kind, self.classes, self.color, self.non_finite = kind, classes, color, non_finite
        # JSON has text for keys only.
        self.mask_values: dict[float, int] | None = (
            None if mask_values is None else {int(k): int(v) for k, v in mask_values.items()}
        )
        if self.mask_values is not None and not set(self.mask_values.values()) <= set(range(classes)):
            raise ValueError(f"mask_values must lead to 0..{classes - 1}, got {mask_values}")
        self.mask_threshold = mask_threshold
        self.reverse_indexing, self.grey_dicom = reverse_indexing, grey_dicom
        self.modalities = None if modalities is None else tuple(modalities)
        self.options = ReadOptions(voi, alpha, exif, frame, force, max_bytes)

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
            Array ``(W, H)``, in colour ``(3, W, H)``, or with ``reverse_indexing=False`` ``(H, W)`` and
            ``(3, H, W)``; and meta data: ``bits``, ``spacing`` in x and y (mm, nan where the file states none)
            and ``spacing_source``, ``frame`` (index of the one that was read), ``notices`` (what was repaired or is
            not known), ``read_with`` (for :func:`read_again`); from DICOM also
            ``modality``, ``laterality``, ``view``, ``photometric`` (as stored) and ``voi``. The affine counts
            pixels where the spacing is not known.

        Raises:
            MissingError: If there is no such file.
            ImageError: If it cannot be read as what it should be.
        """
        array, meta = self._decode(img)
        if meta["notices"]:
            logger.warning("%s: %s", name_of(img[0]), meta["notices"])
        return array, meta

    def _decode(self, img: Sequence[Path]) -> tuple[np.ndarray, dict]:
        if len(img) != 1:
            raise ImageError(f"one file expected, got {len(img)}", img, fix="give one image a case")
        path = img[0]
        if path == Path():
            what = "no image of this name is known"  # MONAI Label names a file that it does not find ""
            raise MissingError(what, fix="name a file, or to MONAI Label an image of its datastore")
        if path.is_dir():
            raise ImageError(f"{path} is a folder", list_series(path), fix="give one of its files")
        content, decoded = read_any(path, self.options, self.kind == "mask")
        self._refuse_modality(path, decoded.meta.get("modality"))
        if self.color == "rgb" and not self.grey_dicom and "photometric" in decoded.meta and decoded.array.ndim == 2:
            what = f"{path} is a grey image: {decoded.meta['photometric']}"
            raise ImageError(what, expected="one in colours", fix="give the photo with its colours", kind="grey")
        array, notices = self._values(decoded, path, content)
        notices = [*decoded.meta.pop("notices", []), *notices]
        spacing = decoded.meta.get("spacing", np.full(2, np.nan))
        axes = spacing if self.reverse_indexing else spacing[::-1]
        affine = np.diag([*np.nan_to_num(axes, nan=1.0), 1.0])
        colours = array.ndim == 3
        array = _lay_out(array, np.uint8 if self.kind == "mask" else np.float32, self.reverse_indexing)
        meta = {
            "spacing": spacing,
            "spacing_source": "none",
            **decoded.meta,
            "bits": decoded.bits,
            "frame": self.options.frame or 0,
            "notices": "; ".join(notices),  # one text, so that samples collate
            "read_with": json.dumps(
                asdict(self.options)
                | {"color": self.color, "non_finite": self.non_finite, "modalities": self.modalities}
            ),
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape[-2:]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: 0 if colours else float("nan"),
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPACE: TraceKeys.NONE,
        }
        return array, meta

    def _refuse_modality(self, path: Path, modality: str | None) -> None:
        """``None`` where the format has none; DICOM that leaves it empty is refused too."""
        if self.modalities is not None and modality is not None and modality not in self.modalities:
            what = f"{path} is of modality {modality or '(none stated)'}"
            wanted = ", ".join(self.modalities)
            fix = "give images as this bundle was made for, or if it is one, add its modality to modalities"
            raise ImageError(what, expected=wanted, fix=fix, kind="modality")

    def _values(self, decoded: Decoded, path: Path, content: str) -> tuple[np.ndarray, list[str]]:
        """Rows first: class indices or grey values ``(H, W)``, or colours ``(3, H, W)``; and notices."""
        array, notices = decoded.array, []
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = array.size - int(np.isfinite(array).sum())
            if self.non_finite == "refuse":
                what = f"{path} holds {wrong} of {array.size} values that are not finite"
                fix = "repair the image, or set non_finite='zero' of MedicalReader"
                raise ImageError(what, fix=fix, kind="non_finite")
            notices.append(f"{wrong} of {array.size} values that are not finite were set to 0")
            array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
        if self.kind == "mask":
            palette = decoded.meta.pop("palette", None)
            settings = (self.classes, palette, self.mask_values, self.mask_threshold)
            indices, told = class_indices(array, path, *settings, lossy=content == "JPEG")
            return indices, notices + told
        if self.color == "rgb":
            array = np.moveaxis(array, -1, 0) if array.ndim == 3 else np.broadcast_to(array, (3, *array.shape))
        elif array.ndim == 3:
            array = grey_of(array, path)
        return array, notices


def _lay_out(array: np.ndarray, dtype: type, x_first: bool) -> np.ndarray:
    """A writable contiguous copy, whose last two axes change places if ``x_first``."""
    if not x_first:
        return np.require(array, dtype, ["C", "W"])
    turned = np.empty((*array.shape[:-2], array.shape[-1], array.shape[-2]), dtype)
    for start in range(0, array.shape[-2], STRIP):  # in strips that the processor's cache holds: thrice as fast
        turned[..., start : start + STRIP] = array[..., start : start + STRIP, :].swapaxes(-1, -2)
    return turned


def read_again(meta: Mapping[str, Any], **changes: Any) -> tuple[np.ndarray, dict]:
    """The file of an image as it was read before; what was told of it then is not told again.

    Args:
        meta: Of an image that :class:`MedicalReader` read.
        changes: Other arguments of :class:`MedicalReader`, such as ``color``.

    Returns:
        As :meth:`MedicalReader.get_data`.
    """
    reader = MedicalReader(**json.loads(meta.get("read_with", "{}")) | changes)
    return reader._decode([Path(meta["filename_or_obj"])])


def read_size(path: PathLike) -> tuple[int, int]:
    """Width and height in pixels as :class:`MedicalReader` would give them, from the header alone.

    Raises:
        MissingError: If there is no such file.
        ImageError: If the header cannot be read.
    """
    return read_any_size(Path(path), ReadOptions())
