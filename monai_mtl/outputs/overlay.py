"""Pictures of a case: truth and prediction as contours, probability as heat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

__all__ = ["PREDICTION_COLOUR", "TRUTH_COLOUR", "contact_sheet", "draw_case", "overlay_path"]

TRUTH_COLOUR = (0, 190, 255)
PREDICTION_COLOUR = (255, 140, 0)
HEIGHT, LINE, GAP, SQUARE = 480, 18, 6, 12


def overlay_path(folder: Path, name: str) -> Path:
    """Where an evaluation keeps its picture of a case: each name has a file of its own, in one folder.

    Args:
        folder: Of the evaluation.
        name: Of the case; as in an address on the web, ``/`` is written ``%2F``, and ``%`` itself ``%25``.
    """
    return folder / "overlays" / f"{name.replace('%', '%25').replace('/', '%2F')}.png"


def draw_case(
    image: np.ndarray,
    probability: np.ndarray,
    prediction: np.ndarray,
    truth: np.ndarray | None = None,
    caption: Sequence[str] = (),
    height: int = HEIGHT,
) -> Image.Image:
    """Draw one case: the image with contours, beside it the probability over the image.

    Args:
        image: Grey values ``(H, W)``, any range.
        probability: Of a lesion, ``(H, W)`` in [0, 1].
        prediction: Mask ``(H, W)``.
        truth: Annotated mask ``(H, W)``, or ``None``.
        caption: Lines of text above.
        height: Height of the panels in pixels.

    Returns:
        An RGB picture.
    """
    grey = np.asarray(image, dtype=np.float32)
    span = max(float(np.ptp(grey)), 1e-6)
    grey = grey - grey.min()  # a copy; the rest is done in place, since images are large
    grey /= span
    size = (max(1, round(height * grey.shape[1] / grey.shape[0])), height)
    base = _resize(grey, size)
    contours = np.repeat((base * 255).astype(np.uint8)[..., None], 3, axis=2)
    for mask, colour in ((truth, TRUTH_COLOUR), (prediction, PREDICTION_COLOUR)):
        if mask is not None:
            contours[find_boundaries(_resize(np.asarray(mask, dtype=np.float32), size) > 0.5, mode="thick")] = colour
    heat = _resize(np.asarray(probability, dtype=np.float32), size)
    colours = colormaps["inferno"](heat)[..., :3]
    colours *= 0.55
    colours += 0.45 * base[..., None]
    colours *= 255
    blended = colours.astype(np.uint8)
    text_height = LINE * len(caption) + (GAP if caption else 0)
    sheet = Image.new("RGB", (2 * size[0] + GAP, height + text_height), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(caption):
        draw.text((4, 2 + i * LINE), line, fill=(235, 235, 235), font=ImageFont.load_default(13))
    sheet.paste(Image.fromarray(contours), (0, text_height))
    sheet.paste(Image.fromarray(blended), (size[0] + GAP, text_height))
    return sheet


def contact_sheet(
    pictures: Sequence[Image.Image],
    title: str,
    truth: bool = True,
    columns: int = 4,
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
    more: Sequence[tuple[str, tuple[int, int, int]]] = (),
) -> Image.Image:
    """Put pictures of cases side by side, with a title and the legend of the colours.

    Args:
        pictures: From :func:`draw_case`.
        title: Line above.
        truth: Whether the pictures show an annotation.
        columns: Pictures in a row.
        legend: Words and their colours, shown as squares, where they are others than those of :func:`draw_case`.
        more: Words in their colours, for what is drawn besides.
    """
    columns = min(columns, len(pictures))
    width, height = max(p.width for p in pictures) + 2 * GAP, max(p.height for p in pictures) + 2 * GAP
    rows = -(-len(pictures) // columns)
    font, head = ImageFont.load_default(16), 60
    words = list(legend) or [("predicted", PREDICTION_COLOUR), *more, ("right half: probability", (255, 220, 120))]
    words = [("annotated", TRUTH_COLOUR), *words] if truth and not legend else words
    legend_width = 12 + sum(round(font.getlength(text)) + 24 + SQUARE + GAP for text, _ in words)
    total = max(columns * width, round(font.getlength(title)) + 20, legend_width)
    sheet = Image.new("RGB", (total, rows * height + head), (12, 12, 12))
    draw = ImageDraw.Draw(sheet)
    draw.text((12, 8), title, fill=(255, 255, 255), font=font)
    x = 12
    for text, colour in words:
        if legend:  # dark colours cannot be read on black
            draw.rectangle((x, 36, x + SQUARE, 36 + SQUARE), fill=colour)
            x += SQUARE + GAP
        draw.text((x, 32), text, fill=(255, 255, 255) if legend else colour, font=font)
        x += round(font.getlength(text)) + 24
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (GAP + i % columns * width, head + GAP + i // columns * height))
    return sheet


def _resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(array).resize(size, Image.Resampling.BILINEAR))
