"""The box of a lesion in the picture of a case."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .overlay import HEIGHT

__all__ = ["BOX_COLOUR", "BOX_LEGEND", "TRUE_BOX_COLOUR", "TRUE_BOX_LEGEND", "draw_box"]

BOX_COLOUR, TRUE_BOX_COLOUR = (255, 90, 220), (120, 230, 90)
BOX_LEGEND = (("predicted box, its score", BOX_COLOUR),)
TRUE_BOX_LEGEND = (("box of the annotation, IoU of both", TRUE_BOX_COLOUR),)
TEXT = 15


def draw_box(
    picture: Image.Image,
    box: Sequence[float],
    image_size: tuple[int, int],
    colour: tuple[int, int, int],
    words: str,
    below: bool = False,
    height: int = HEIGHT,
) -> None:
    """Draw a box onto the left panel of a picture, with words at a corner.

    Args:
        picture: Of :func:`monai_mtl.outputs.overlay.draw_case`, which is changed.
        box: ``x0, y0, x1, y1`` in pixels of the image, half open.
        image_size: Width and height of the image.
        colour: Of outline and words.
        words: Beside the box.
        below: Whether they stand below its right corner, not above its left one.
        height: Of the panels.
    """
    width = max(1, round(height * image_size[0] / image_size[1]))
    corner = (0, picture.height - height)
    panel = picture.crop((*corner, width, picture.height))  # where nothing is drawn outside
    x0, y0, x1, y1 = (value * (width, height)[i % 2] / image_size[i % 2] for i, value in enumerate(box))
    right, bottom = max(x1 - 1, x0), max(y1 - 1, y0)
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(TEXT)
    draw.rectangle((x0, y0, right, bottom), outline=colour, width=3)
    long, tall = font.getlength(words) + 4, TEXT + 5
    left = min(max(right - long if below else x0, 0), max(width - long, 0))
    up = min(max(bottom + 1 if below else y0 - tall, 0), height - tall)
    draw.rectangle((left, up, left + long, up + tall), fill=(24, 24, 24))
    draw.text((left + 2, up + 1), words, fill=colour, font=font)
    picture.paste(panel, corner)
