"""A map that explains an answer, drawn over its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from .overlay import GAP, HEIGHT, LINE

__all__ = ["draw_explanation"]

SHARE = 0.55
"""Of the colour where the map is 1; where it is 0 the image is as it was."""


def draw_explanation(
    image: np.ndarray, explanation: np.ndarray, caption: Sequence[str] = (), height: int = HEIGHT
) -> Image.Image:
    """Draw an image, and beside it the same image coloured by a map.

    Args:
        image: Grey values ``(H, W)`` or colours ``(3, H, W)``, any range.
        explanation: Map ``(H, W)`` in [0, 1].
        caption: Lines of text above.
        height: Height of the panels in pixels.

    Returns:
        An RGB picture.
    """
    values = np.asarray(image, dtype=np.float32)
    values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
    colours = np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values.transpose(1, 2, 0)
    size = (max(1, round(height * colours.shape[1] / colours.shape[0])), height)
    plain = Image.fromarray(np.ascontiguousarray((colours * 255).astype(np.uint8))).resize(size)
    small = Image.fromarray(np.ascontiguousarray(explanation, dtype=np.float32)).resize(size, Image.Resampling.BILINEAR)
    heat = np.asarray(small).clip(0, 1)[..., None]
    tint = colormaps["turbo"](heat[..., 0])[..., :3] * 255
    mixed = (1 - SHARE * heat) * np.asarray(plain, dtype=np.float32) + SHARE * heat * tint
    top = LINE * len(caption) + (GAP if caption else 0)
    sheet = Image.new("RGB", (2 * size[0] + GAP, height + top), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(caption):
        draw.text((4, 2 + i * LINE), line, fill=(235, 235, 235), font=ImageFont.load_default(13))
    sheet.paste(plain, (0, top))
    sheet.paste(Image.fromarray(mixed.astype(np.uint8)), (size[0] + GAP, top))
    return sheet
