"""Pictures of a stained section: its tissues by colour, beside the image and where the diagnosis is sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from .overlay import GAP, LINE

__all__ = ["draw_region", "tissue_colours"]

YNET_COLOURS = (
    *((255, 255, 255), (130, 0, 130), (0, 0, 130), (255, 150, 255)),
    *((150, 150, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
)
"""Of the Y-Net authors' legend: background, benign and malignant epithelium, normal and desmoplastic stroma, ..."""
HEIGHT = 300
INK, BACK = (235, 235, 235), (24, 24, 24)


def tissue_colours(classes: int) -> list[tuple[int, int, int]]:
    """A colour for each tissue: the authors' first eight, then others.

    Args:
        classes: Number of tissues.
    """
    more = [tuple(round(255 * part) for part in colour) for colour in colormaps["tab20"].colors]  # type: ignore[attr-defined]
    return [*YNET_COLOURS, *(more[i % len(more)] for i in range(classes - len(YNET_COLOURS)))][:classes]


def draw_region(
    image: np.ndarray,
    prediction: np.ndarray,
    truth: np.ndarray | None = None,
    certainty: np.ndarray | None = None,
    classes: int = 8,
    caption: Sequence[str] = (),
    height: int = HEIGHT,
) -> Image.Image:
    """Draw one region: the image, the annotated tissue, the predicted tissue, the probability of the diagnosis.

    Args:
        image: Colours ``(3, H, W)`` in [0, 1].
        prediction: Tissue of each pixel ``(H, W)``.
        truth: The same as annotated, or ``None``.
        certainty: Probability of the surest diagnosis ``(H, W)`` in [0, 1], or ``None``.
        classes: Number of tissues.
        caption: Lines of text above.
        height: Height of the panels in pixels.

    Returns:
        An RGB picture with as many panels as were given.
    """
    size = (max(1, round(height * image.shape[2] / image.shape[1])), height)
    colours = (np.asarray(image, dtype=np.float32).clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    base = Image.fromarray(np.ascontiguousarray(colours)).resize(size, Image.Resampling.BILINEAR)
    panels = [("image", base)]
    for name, mask in (("annotated", truth), ("predicted", prediction)):
        if mask is not None:
            panels.append((name, _tinted(base, mask, classes)))
    if certainty is not None:
        # Resized as a grey picture of 32 bits.
        heat = np.asarray(Image.fromarray(np.asarray(certainty, dtype=np.float32)).resize(size))
        coloured = (colormaps["inferno"](heat)[..., :3] * 255).astype(np.uint8)
        panels.append(("surest diagnosis, 0 to 1", Image.fromarray(coloured)))
    head = LINE * (len(caption) + 1) + GAP
    sheet = Image.new("RGB", (len(panels) * (size[0] + GAP) - GAP, height + head), BACK)
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(caption):
        draw.text((4, 2 + i * LINE), line, fill=INK, font=ImageFont.load_default(13))
    for i, (name, panel) in enumerate(panels):
        left = i * (size[0] + GAP)
        draw.text((left + 4, 2 + len(caption) * LINE), name, fill=INK, font=ImageFont.load_default(12))
        sheet.paste(panel, (left, head))
    return sheet


def _tinted(base: Image.Image, mask: np.ndarray, classes: int) -> Image.Image:
    """The image in the colours of its tissues, with their borders."""
    small = np.asarray(Image.fromarray(np.asarray(mask, dtype=np.uint8)).resize(base.size, Image.Resampling.NEAREST))
    colours = np.array(tissue_colours(classes), dtype=np.float32)[small]
    tinted = (0.45 * np.asarray(base, dtype=np.float32) + 0.55 * colours).astype(np.uint8)
    tinted[find_boundaries(small, mode="inner")] = (20, 20, 20)
    return Image.fromarray(tinted)
