"""Between grey pictures and colour ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ImageError

__all__ = ["grey_of"]

TOLERANCE = 8
"""Largest difference between channels, of 255, that JPEG leaves in a grey picture."""


def grey_of(colours: np.ndarray, path: Path) -> np.ndarray:
    """Grey values of a picture that is stored in colour but shows none.

    Args:
        colours: Array ``(H, W, 3)``, uint8 or uint16.
        path: File, for the message.

    Raises:
        ImageError: If it does show colours.
    """
    spread = colours.max(axis=2) - colours.min(axis=2)
    if int(spread.max()) > (TOLERANCE if colours.dtype == np.uint8 else 0):
        fix = "export it without colours, or read it with color='rgb' of MedicalReader"
        raise ImageError(f"{path} is a colour image", expected="a grey one", fix=fix, kind="colour")
    if not spread.any():
        return colours[..., 0]
    return np.asarray(Image.fromarray(np.ascontiguousarray(colours)).convert("L"))
