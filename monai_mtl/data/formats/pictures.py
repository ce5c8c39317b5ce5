"""PNG, JPEG, TIFF and BMP by Pillow, with every conversion that Pillow would make silently made or refused here."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ...errors import ImageError
from .options import COPY, Decoded, ReadOptions, refuse_large, refuse_large_file, shorten
from .png import check_png, png_depth

__all__ = ["PICTURES", "read_picture", "read_picture_size"]

PICTURES: dict[str, Any] = {"PNG": PngImageFile, "JPEG": JpegImageFile, "TIFF": TiffImageFile, "BMP": BmpImageFile}
"""Classes of Pillow; its ``Image.open`` would add a limit of its own and try other formats."""
FAULTS = (EOFError, KeyError, IndexError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError)
FAULTS += (TypeError, ValueError, Image.DecompressionBombError)  # type: ignore[assignment]
DEPTHS = {"1": 1, "L": 8, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}
ORIENTATION, BITS_PER_SAMPLE, PHOTOMETRIC = 0x0112, 258, 262
TURNED = (5, 6, 7, 8)


def read_picture(path: Path, content: str, options: ReadOptions, mask: bool = False) -> Decoded:
    """Decode one frame.

    Args:
        path: File.
        content: ``"PNG"``, ``"JPEG"``, ``"TIFF"`` or ``"BMP"``.
        options: ``alpha``, ``exif``, ``frame`` and ``max_bytes`` count.
        mask: Whether a palette stays indices; its colours are then the meta entry ``palette``.

    Returns:
        Array ``(H, W)`` or ``(H, W, 3)`` as stored.

    Raises:
        ImageError: If the file is damaged or too large, holds several frames and none is chosen, is partly
            transparent and no rule is chosen, or holds colours of 16 bits.
    """
    try:
        refuse_large_file(path, path.stat().st_size, options)
        data = path.read_bytes()
        if content == "PNG":
            check_png(data)
        picture: Any = PICTURES[content](BytesIO(data))
        refuse_large(path, picture.width * picture.height * len(picture.getbands()), options)
        _refuse_frames(picture, path, options)
        _refuse_deep_colour(picture, path, data)
        picture.load()
        tags = getattr(picture, "tag_v2", {})
        return _array(_upright(picture) if options.exif else picture, tags, path, options, mask)
    except ImageError:
        raise
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error


def read_picture_size(path: Path, content: str, options: ReadOptions) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: If the header is damaged.
    """
    try:
        with path.open("rb") as file:
            picture = PICTURES[content](file)
            turned = options.exif and _orientation(picture) in TURNED
            return picture.size[::-1] if turned else picture.size
    except FAULTS as error:
        raise ImageError(f"cannot read {path}: {shorten(error)}", fix=COPY) from error


def _orientation(picture: Image.Image) -> int:
    if isinstance(picture, TiffImageFile):
        return 1  # Pillow turns these itself
    exif = Image.Exif()
    exif.load(picture.info.get("exif", b""))  # getexif() would decode the whole of a PNG
    return int(exif.get(ORIENTATION, 1))


def _upright(picture: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(picture) if picture.getexif().get(ORIENTATION, 1) != 1 else picture


def _refuse_frames(picture: Any, path: Path, options: ReadOptions) -> None:
    # A JPEG with a preview or depth map behind it (MPO) is read as the one picture that every viewer shows.
    frames = getattr(picture, "n_frames", 1)
    if options.frame is not None:
        if options.frame >= frames:
            raise ImageError(f"{path} has no frame {options.frame}", expected=f"0..{frames - 1}", kind="frames")
        picture.seek(options.frame)
    elif frames > 1:
        fix = "save one frame a file, or name one with frame of MedicalReader"
        raise ImageError(f"{path} holds {frames} frames", expected="one", fix=fix, kind="frames")


def _refuse_deep_colour(picture: Any, path: Path, data: bytes) -> None:
    depth, colour = 8, False
    if isinstance(picture, PngImageFile):
        depth, colour = png_depth(data)
        colour = colour or picture.mode in ("LA", "RGBA")
    elif isinstance(picture, TiffImageFile):
        depth = max(picture.tag_v2.get(BITS_PER_SAMPLE, (8,)))
        colour = len(picture.getbands()) > 1
    if depth > 8 and colour:
        what = f"{path} holds several channels of {depth} bits, which would be cut to 8"
        raise ImageError(what, fix="save it with 8 bits a channel, or as one grey channel of 16", kind="colour")


def _array(picture: Image.Image, tags: Mapping, path: Path, options: ReadOptions, mask: bool) -> Decoded:
    meta: dict[str, Any] = {}
    if mask and picture.mode == "P":
        meta["palette"] = np.asarray(picture.getpalette()).reshape(-1, 3)
        return Decoded(np.asarray(picture), 8, meta)
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        picture = _opaque(picture, path, options.alpha)
    if picture.mode not in DEPTHS:
        return Decoded(np.asarray(picture.convert("RGB")), 8, meta)
    array, bits = np.asarray(picture), DEPTHS[picture.mode]
    bits = int(max(tags.get(BITS_PER_SAMPLE, (bits,)))) if bits == 32 else bits
    if bits == 16 and tags.get(PHOTOMETRIC) == 0:
        array = 65535 - array  # white is zero, which Pillow undoes for 8 bits only
    return Decoded(array.astype(array.dtype.newbyteorder("="), copy=False), bits, meta)


def _opaque(picture: Image.Image, path: Path, rule: str) -> Image.Image:
    """The picture without its alpha channel, which is refused unless it hides nothing or a rule is given."""
    grey = picture.mode in ("L", "LA", "La", "1")
    if picture.mode in ("I;16", "I"):
        if rule == "drop" or not (np.asarray(picture) == picture.info["transparency"]).any():
            return picture
    else:
        full = picture.convert("RGBA")
        alpha, colour = full.getchannel("A"), full.convert("RGB")
        if alpha.getextrema()[0] == 255 or rule == "drop":
            return colour.getchannel(0) if grey else colour
        if rule != "refuse":
            backed = Image.composite(colour, Image.new("RGB", picture.size, rule), alpha)
            return backed.getchannel(0) if grey else backed
    fix = "flatten it, or choose alpha='drop', 'black' or 'white' of MedicalReader"
    raise ImageError(f"{path} is partly transparent", fix=fix, kind="transparency")
