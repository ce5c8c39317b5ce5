"""P1-P17: PNG, JPEG and TIFF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from .case import Fault, Refused, Repaired, Same
from .generate import COLUMNS, ROWS, colours, cut, first, lesion, picture, pixels, png

GREY = pixels(8)
DEEP = pixels(16)
RGB = {"color": "rgb"}
MASK = {"kind": "mask"}
INK = (23, 11, 232)
PALETTE = np.array([[200, 30, 40], [10, 220, 50], [90, 80, 240]], np.uint8)
ALPHA = pixels(8, 7)


def indexed(indices: np.ndarray, palette: np.ndarray):
    """A generator of a PNG with a palette."""

    def make(folder: Path) -> Path:
        made = Image.fromarray(indices, "P")
        made.putpalette(palette.ravel().tolist())
        made.save(folder / "a.png")
        return folder / "a.png"

    return make


def backed(by: int) -> np.ndarray:
    """The half transparent colours on a grey of this value."""
    share = ALPHA[..., None] / 255
    return first(colours() * share + by * (1 - share))


def lossy_mask(folder: Path) -> Path:
    return picture(folder / "m.jpg", lesion() * 255, quality=60)


def decoded_mask(path: Path) -> np.ndarray:
    with Image.open(path) as made:
        return (np.asarray(made) > 127).astype(np.uint8)


def deep_colours(folder: Path) -> Path:
    rows = np.stack([pixels(16, k) for k in range(3)], -1).astype(">u2")
    return png(folder / "a.png", COLUMNS, ROWS, 16, 2, (b"\0" + row.tobytes() for row in rows))


def photograph(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(folder / "a.png", GREY, exif=exif)


def ink(folder: Path) -> Path:
    """Colours as ink; the left half is paper."""
    shown = np.full((ROWS, COLUMNS, 3), 255, np.uint8)
    shown[:, COLUMNS // 2 :] = INK
    return picture(folder / "a.jpg", shown, "CMYK", quality=100)


def printed() -> np.ndarray:
    shown = np.full((ROWS, COLUMNS, 3), 255.0)
    shown[:, COLUMNS // 2 :] = INK
    return first(shown)


def broken(folder: Path) -> list[Path]:
    """Cut, spoilt, empty, and no picture at all."""
    paths = [cut(picture(folder / f"cut.{kind}", GREY), 0.6) for kind in ("png", "jpg", "tif")]
    spoilt = png(folder / "checksum.png", COLUMNS, ROWS, 8, 0, (b"\0" + row.tobytes() for row in GREY), level=0)
    content = bytearray(spoilt.read_bytes())
    content[content.index(GREY[20].tobytes())] ^= 64  # a pixel, stored as it is
    spoilt.write_bytes(content)
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.png").write_text("<html>not found</html>")
    return [*paths, spoilt, folder / "empty.png", folder / "page.png"]


def animated(folder: Path) -> list[Path]:
    paths = [folder / "a.png", folder / "a.tif"]
    for path in paths:
        Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    return paths


def bomb(side: int):
    """A generator of a black PNG of this width and height."""

    def rows() -> Iterable[bytes]:
        block = bytes((side + 1) * 500)
        return (block for _ in range(side // 500))

    return lambda folder: png(folder / "bomb.png", side, side, 8, 0, rows())


def not_a_number(folder: Path) -> Path:
    return picture(folder / "a.tif", np.full((ROWS, COLUMNS), np.nan, np.float32))


def smooth_jpeg(folder: Path) -> Path:
    smooth = np.clip(np.cumsum(GREY.astype(float) - 127, axis=1) / 4 + 127, 0, 255).astype(np.uint8)
    return picture(folder / "a.jpg", np.tile(smooth, (4, 4)), quality=90)


def change_scan(path: Path) -> None:
    """Change 40 bytes of the compressed pixels of a JPEG."""
    content = path.read_bytes()
    start = content.index(b"\xff\xda") + 60
    changed = bytes(np.random.default_rng(0).integers(1, 255, 40, np.uint8))
    path.write_bytes(content[:start] + changed + content[start + 40 :])


EVERY = [
    Fault("P1", "axes, x first", lambda f: picture(f / "a.png", GREY), Same(GREY.T), {"reverse_indexing": True}),
    Fault("P1", "axes, rows first", lambda f: picture(f / "a.png", GREY), Same(GREY), {"reverse_indexing": False}),
    Fault("P2", "palette image", indexed(GREY % 3, PALETTE), Same(first(PALETTE[GREY % 3])), RGB),
    Fault("P2", "palette image where grey is expected", indexed(GREY % 3, PALETTE), Refused("colour")),
    Fault(
        *("P3", "palette mask, white first", indexed(1 - lesion(), np.array([[255] * 3, [0] * 3]))),
        *(Same(lesion()), MASK),
    ),
    Fault("P4", "mask as JPEG", lossy_mask, Refused("lossy"), MASK),
    Fault(
        *("P4", "mask as JPEG, with a threshold", lossy_mask, Repaired(decoded_mask, notice="pixels between")),
        {**MASK, "mask_threshold": 127},
    ),
    Fault("P5", "mask of 0 and 255", lambda f: picture(f / "m.png", lesion() * 255), Same(lesion()), MASK),
    Fault("P5", "mask of 0 and 7", lambda f: picture(f / "m.png", lesion() * 7), Refused("values"), MASK),
    Fault(
        *("P5", "mask of 0 and 7, declared", lambda f: picture(f / "m.png", lesion() * 7), Same(lesion())),
        {**MASK, "mask_values": {0: 0, 7: 1}},
    ),
    Fault("P6", "16 bits, grey", lambda f: picture(f / "a.png", DEEP), Same(DEEP, {"bits": 16})),
    Fault("P7", "16 bits, colour", deep_colours, Refused("colour"), RGB),
    Fault("P8", "RGBA", lambda f: picture(f / "a.png", np.dstack([colours(), ALPHA])), Refused("transparency"), RGB),
    *(
        Fault(
            *("P8", f"RGBA, alpha='{rule}'", lambda f: picture(f / "a.png", np.dstack([colours(), ALPHA]))),
            *(Same(wanted, tolerance=1), {**RGB, "alpha": rule}),
        )
        for rule, wanted in (("drop", first(colours())), ("black", backed(0)), ("white", backed(255)))
    ),
    Fault("P9", "LA", lambda f: picture(f / "a.png", np.dstack([GREY, ALPHA])), Refused("transparency")),
    Fault(
        *("P9", "LA, alpha='drop'", lambda f: picture(f / "a.png", np.dstack([GREY, ALPHA]))),
        *(Same(GREY), {"alpha": "drop"}),
    ),
    Fault("P10", "CMYK JPEG", ink, Same(printed(), tolerance=4), RGB),
    Fault("P11", "EXIF orientation 6", photograph, Same(np.rot90(GREY, -1))),
    Fault("P11", "EXIF orientation 6, not wanted", photograph, Same(GREY), {"exif": False}),
    Fault("P12", "cut, wrong checksum, zero bytes, HTML", broken, Refused("unreadable")),
    Fault(
        *("P13", "40 bytes changed in a JPEG, hash in the datalist", smooth_jpeg, Refused("hash")),
        damage=change_scan,
    ),
    Fault("P14", "APNG, TIFF of two pages", animated, Refused("frames", "2 frames")),
    Fault("P15", "PNG of 144 million pixels in 140 kB", bomb(12000), Refused("budget")),
    Fault("P16", "PNG of 400 million pixels in 389 kB", bomb(20000), Refused("budget")),
    Fault(
        *("P16", "a limit of one's own", lambda f: picture(f / "a.png", GREY)),
        *(Refused("budget"), {"max_bytes": 4 * GREY.size - 1}),
    ),
    Fault(
        *("P16", "a limit that just suffices", lambda f: picture(f / "a.png", GREY)),
        *(Same(GREY), {"max_bytes": 4 * GREY.size}),
    ),
    Fault("P17", "TIFF of NaN", not_a_number, Refused("non_finite", f"{GREY.size} of {GREY.size}")),
]
