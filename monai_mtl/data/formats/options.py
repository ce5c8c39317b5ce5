"""Choices that a reader leaves to its user, and what every format answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import ImageError

__all__ = ["ALPHA_RULES", "COPY", "VOI_RULES", "Decoded", "ReadOptions", "refuse_large"]
__all__ += ["refuse_large_file", "shorten"]

VOI_RULES = ("none", "voi", "percentile")
ALPHA_RULES = ("refuse", "drop", "black", "white")
COPY = "copy or export the file again"


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read; see :class:`monai_mtl.data.MedicalReader`."""

    voi: str = "none"
    alpha: str = "refuse"
    exif: bool = True
    frame: int | None = None
    force: bool = False
    max_bytes: int = 1 << 28

    def __post_init__(self) -> None:
        if self.voi not in VOI_RULES:
            raise ValueError(f"voi must be one of {VOI_RULES}, got '{self.voi}'")
        if self.alpha not in ALPHA_RULES:
            raise ValueError(f"alpha must be one of {ALPHA_RULES}, got '{self.alpha}'")
        if self.frame is not None and self.frame < 0:
            raise ValueError(f"frame must be >= 0, got {self.frame}")
        if self.max_bytes < 1:
            raise ValueError(f"max_bytes must be >= 1, got {self.max_bytes}")


class Decoded(NamedTuple):
    """One picture: array ``(H, W)`` or ``(H, W, 3)`` as stored, bits a sample, and meta data of the format."""

    array: np.ndarray
    bits: int
    meta: dict[str, Any]


def refuse_large(path: Path, pixels: int, options: ReadOptions) -> None:
    """Refuse what would not fit, before anything is decoded.

    Args:
        path: File.
        pixels: Samples that the header promises.
        options: Holds the limit, which counts four bytes a sample.

    Raises:
        ImageError: If it is too much.
    """
    if 4 * pixels > options.max_bytes:
        what = f"{path} says it holds {pixels} pixels, {4 * pixels} bytes when decoded"
        fix = "raise max_bytes of MedicalReader if that is right"
        raise ImageError(what, expected=f"at most {options.max_bytes} bytes", fix=fix, kind="budget")


def refuse_large_file(path: Path, size: int, options: ReadOptions) -> None:
    """Refuse a file that holds, or inflates to, more bytes than ``options.max_bytes``.

    Raises:
        ImageError: If it does.
    """
    if size > options.max_bytes:
        what, fix = f"{path} holds {size} bytes or more", "raise max_bytes of MedicalReader if that is right"
        raise ImageError(what, expected=f"at most {options.max_bytes} bytes", fix=fix, kind="budget")


def shorten(error: BaseException) -> str:
    """The message of an error on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
