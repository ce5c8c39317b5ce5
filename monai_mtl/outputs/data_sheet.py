"""One picture of a data set: its classes and spacings, and the cases that a check complains of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from .overlay import TRUTH_COLOUR

__all__ = ["Tile", "data_sheet"]

SIDE, LINE, GAP, COLUMNS = 170, 15, 8, 6
INK, DIM, BACK, BAR = (235, 235, 235), (150, 150, 150), (16, 16, 16), (255, 140, 0)
WIDTH = COLUMNS * (SIDE + GAP) + GAP
LETTERS = 28
"""Letters of a caption that fit below a thumbnail."""


class Tile(NamedTuple):
    """A case on the sheet.

    Args:
        image: Grey values ``(H, W)``; None where it cannot be read.
        mask: Classes ``(H, W)`` of the same grid, or None.
        caption: Lines below.
    """

    image: np.ndarray | None
    mask: np.ndarray | None
    caption: Sequence[str]


def data_sheet(
    title: str, tiles: Sequence[Tile], overview: Mapping[str, Any], spacings: Sequence[float] = ()
) -> Image.Image:
    """Draw the sheet.

    Args:
        title: Line above.
        tiles: Cases, in order.
        overview: As :class:`monai_mtl.data.findings.Report` holds it.
        spacings: Millimetres a pixel, of the files that state them.
    """
    lines = _lines(overview, spacings)
    rows = -(-len(tiles) // COLUMNS)
    head, tall = 40 + LINE * len(lines) + GAP, SIDE + 2 * LINE + GAP
    sheet = Image.new("RGB", (WIDTH, head + rows * tall + GAP), BACK)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, fill=INK, font=ImageFont.load_default(16))
    most = max((count for _, count in lines if count is not None), default=1)
    for i, (text, count) in enumerate(lines):
        y = 36 + i * LINE
        draw.text((GAP, y), text, fill=DIM if count is None else INK, font=ImageFont.load_default(12))
        if count:
            draw.rectangle((420, y + 3, 420 + round(400 * count / max(most, 1)), y + LINE - 3), fill=BAR)
    for i, tile in enumerate(tiles):
        x, y = GAP + i % COLUMNS * (SIDE + GAP), head + i // COLUMNS * tall
        sheet.paste(_thumbnail(tile), (x, y))
        for k, line in enumerate(tile.caption[:2]):
            draw.text((x, y + SIDE + k * LINE), line[:LETTERS], fill=(INK, BAR)[k], font=ImageFont.load_default(11))
    return sheet


def _lines(overview: Mapping[str, Any], spacings: Sequence[float]) -> list[tuple[str, int | None]]:
    """Text and length of a bar, or None for text alone."""
    lines: list[tuple[str, int | None]] = []
    for task, sections in overview.get("classes", {}).items():
        for section, counts in sections.items():
            lines += [(f"{section}, {task}: {name}, {count}", count) for name, count in counts.items()]
    sides = {name: overview.get(name, {}) for name in ("width", "height")}
    if all(side.get("median") is not None for side in sides.values()):
        lines += [(f"{name}: {side['smallest']:g} to {side['largest']:g} pixels", None) for name, side in sides.items()]
    if spacings:
        counts, edges = np.histogram(spacings, bins=min(8, len(set(spacings))))
        spans = zip(counts, edges[:-1], edges[1:], strict=True)
        lines += [(f"{low:.3g} to {high:.3g} mm a pixel: {n}", int(n)) for n, low, high in spans]
    else:
        lines.append(("no file states the size of its pixels", None))
    return lines


def _thumbnail(tile: Tile) -> Image.Image:
    panel = Image.new("RGB", (SIDE, SIDE), (48, 48, 48))
    if tile.image is None:
        ImageDraw.Draw(panel).text((GAP, SIDE // 2), "cannot be read", fill=DIM, font=ImageFont.load_default(12))
        return panel
    grey = np.asarray(tile.image, np.float32)
    scale = SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    small = (small - small.min()) / max(float(np.ptp(small)), 1e-6)
    colours = np.repeat((small * 255).astype(np.uint8)[..., None], 3, axis=2)
    if tile.mask is not None:
        mask = np.asarray(Image.fromarray((tile.mask > 0).astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
        colours[find_boundaries(mask > 0.5, mode="inner")] = TRUTH_COLOUR
    panel.paste(Image.fromarray(colours), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return panel
