"""N1-N9: NIfTI."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from .case import Fault, Refused, Repaired, Same
from .generate import COLUMNS, ROWS, cut, pixels

RAW = pixels()
VALUES = RAW.astype(np.float32)
SPACING = (0.07, 0.05)
"""Along x and y."""
FLIPS = 50
DIM, PIXDIM, CODES, SFORM = 40, 76, 252, 280
"""Where the header holds them."""


def nifti(path: Path, array: np.ndarray = RAW, slope: float | None = None, inter: float | None = None) -> Path:
    """One slice whose first axis is x, as the format has it; ``array`` has rows first, further axes after them."""
    image = nibabel.Nifti1Image(array.swapaxes(0, 1), np.diag([*SPACING, 1.0, 1.0]))
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(slope, inter)
    nibabel.save(image, path)
    return path


def edited(array: np.ndarray = RAW, **changes: tuple[int, np.ndarray]):
    """A generator of one slice in whose header bytes are replaced: each change is a place and what comes there."""

    def make(folder: Path) -> Path:
        path = nifti(folder / "a.nii", array)
        content = bytearray(path.read_bytes())
        for at, values in changes.values():
            content[at : at + values.nbytes] = values.tobytes()
        path.write_bytes(content)
        return path

    return make


def dims(*sides: int) -> tuple[int, np.ndarray]:
    return DIM, np.array([len(sides), *sides], "<i2")


def short(folder: Path) -> list[Path]:
    (folder / "empty.nii").write_bytes(b"")
    return [cut(nifti(folder / "half.nii"), 0.5), cut(nifti(folder / "half.nii.gz"), 0.5), folder / "empty.nii"]


def flipped(folder: Path) -> list[Path]:
    """One bit of the compressed stream, another one in each file."""
    content = gzip.compress(nifti(folder / "a.nii").read_bytes(), mtime=0)
    paths = []
    # Not the ten bytes of the head, nor the last byte of the stream, of which some bits mean nothing.
    for bit in np.random.default_rng(0).choice(range(80, 8 * (len(content) - 9)), FLIPS, replace=False):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        paths.append(folder / f"bit{bit}.nii.gz")
        paths[-1].write_bytes(changed)
    return paths


def odd_values() -> np.ndarray:
    array = VALUES.copy()
    array[3, 4], array[10, 7], array[40, 20] = np.nan, np.inf, -np.inf
    return array


def scaled(folder: Path) -> Path:
    """Stored as whole numbers that stand for ``2.5 * number - 1024``."""
    path = nifti(folder / "a.nii", RAW.astype(np.int16))
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([2.5, -1024], "<f4").tobytes()
    path.write_bytes(content)
    return path


HUGE = edited(dim=dims(30000, 30000, 30000))
STATED = {"spacing": SPACING, "spacing_source": "pixdim"}

CASES: tuple[Fault, ...] = (
    Fault("N1", "half a .nii, half a .nii.gz, zero bytes", short, Refused("unreadable")),
    Fault("N2", f"one bit flipped in a .nii.gz, {FLIPS} times", flipped, Refused("unreadable")),
    Fault("N3", "30000 x 30000 x 30000 voxels in 3 kB", HUGE, Refused("frames", "30000 x 30000 x 30000")),
    Fault("N4", "NaN and Inf", lambda f: nifti(f / "a.nii", odd_values()), Refused("non_finite", "3 of 1536")),
    Fault(
        *("N5", "NaN in the sform", edited(sform=(SFORM, np.full(1, np.nan, "<f4")))),
        Repaired(RAW, STATED, notice="sform is not finite"),
    ),
    Fault("N6", "spacing 0", edited(pixdim=(PIXDIM + 4, np.zeros(2, "<f4"))), Refused("unreadable", "spacing")),
    Fault(
        *("N7", "no orientation", edited(codes=(CODES, np.zeros(2, "<i2")))),
        Repaired(RAW, STATED, notice="left and right are not known"),
    ),
    Fault("N8", "slope and intercept", scaled, Same(2.5 * RAW - 1024.0, STATED, tolerance=1e-3)),
    Fault(
        *("N9", "four axes", lambda f: nifti(f / "a.nii", np.stack([RAW, RAW + 1, RAW + 2], -1)[:, :, None])),
        Refused("frames", f"{COLUMNS} x {ROWS} x 1 x 3"),
    ),
)

MORE: tuple[Fault, ...] = (
    Fault("N3", "and one slice of it", HUGE, Refused("budget"), {"frame": 0}),
    Fault("N3", "5000 x 5000 pixels in 3 kB", edited(dim=dims(5000, 5000)), Refused("unreadable", "header needs")),
    Fault(
        *("N4", "made 0", lambda f: nifti(f / "a.nii", odd_values())),
        Repaired(np.where(np.isfinite(odd_values()), VALUES, 0), notice="3 of 1536 values"),
        {"non_finite": "zero"},
    ),
)
"""What the choices that a case leaves make of it."""
