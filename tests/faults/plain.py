"""What MONAI alone makes of a case, judged by the same truth."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from monai.transforms import LoadImage
from monai.utils import optional_import

from .case import Fault, Refused, Repaired, Same
from .generate import pixels
from .measure import measured
from .special import Guarded, Private

CLASSES = ("same", "loud", "nameless", "limit", "silent")
"""From good to bad. ``nameless``: an error that does not name the file."""
POLICIES = ("voi", "alpha", "frame", "non_finite", "force", "mask_values", "mask_threshold", "max_bytes", "exif")
"""Options of our reader that MONAI's have no word for."""
READERS = ("PydicomReader", "ITKReader")
SECONDS, MEGABYTES = 2.0, 512.0
RANK = "D2"
"""ITKReader gives every slice a third axis of length 1; that is counted in this case only."""
SOUND = ("D13", "D21")
"""Cases whose pixels are all there: who reads them is not wrong, whatever we do."""
UNRELATED = "nvImageCodec"
"""MONAI's warning about a package that is not installed."""


def comparable(case: Fault) -> bool:
    """Whether MONAI can be asked for the same thing, under the same conditions."""
    if isinstance(case, Guarded) and case.around is not nullcontext:
        return False
    if isinstance(case.wanted, Refused) and case.wanted.kind == "colour" and "color" not in case.options:
        return False  # colours are right if nobody asks for grey
    return not set(POLICIES) & set(case.options) and case.options.get("reverse_indexing") is not False


def judge_plainly(case: Fault, folder: Path, reader: str | None = None) -> tuple[str, str]:
    """One of :data:`CLASSES`, the worst of all files of a case, and some words.

    Args:
        case: One that is comparable.
        folder: Empty.
        reader: Name, or MONAI's own choice.
    """
    made = case.make(folder)
    paths = [made] if isinstance(made, Path) else list(made)
    verdicts = []
    for path in paths:
        if case.damage:
            case.damage(path)
        run = measured(lambda path=path: load_plainly(case, path, reader))
        verdict = run.value or ("limit", run.failure)
        if run.value and (run.seconds > SECONDS or run.megabytes > MEGABYTES) and isinstance(case, Guarded):
            verdict = ("limit", f"{run.seconds:.1f} s and {run.megabytes:.0f} MB; {verdict[1]}")
        verdicts.append(verdict)
    worst = max(verdicts, key=lambda verdict: CLASSES.index(verdict[0]))
    alike = sum(verdict[0] == worst[0] for verdict in verdicts)
    return worst if len(paths) == 1 else (worst[0], f"{worst[1]}; {alike} of {len(paths)} files")


def load_plainly(case: Fault, path: Path, reader: str | None = None) -> tuple[str, str]:
    """As :func:`judge_plainly`, of one file, in this process."""
    try:
        with _listening() as told:
            image = LoadImage(reader, image_only=True, ensure_channel_first=True)(path)
    except MemoryError:
        return "limit", "MemoryError"
    except Exception as error:
        named = path.name in str(error)
        return ("loud" if named else "nameless"), f"{type(error).__name__}{'' if named else ', file not named'}"
    warned = ", with a warning" if any(UNRELATED not in text for text in told) else ""
    array = np.asarray(image)
    array = array[..., 0] if case.id != RANK and array.ndim == 4 and array.shape[-1] == 1 else array
    wanted = Same(pixels()) if case.id in SOUND else case.wanted
    if isinstance(wanted, Refused):
        return "silent", f"loads {_shape(array)}, mean {float(array.mean()):.4g}{warned}"
    wrong = _compare(array, image, wanted, path, case)
    if wrong:
        return "silent", wrong + warned
    if isinstance(wanted, Repaired) and not warned:
        return "silent", "loads, tells nothing"
    return "same", "loads" + warned if warned else ""


def _compare(array: np.ndarray, image: MetaTensor, wanted: Same, path: Path, case: Fault) -> str:
    """What is wrong, or ""."""
    truth = wanted.array(path) if callable(wanted.array) else wanted.array
    # Rows come first in the table, x in MONAI.
    truth = truth if case.options.get("reverse_indexing") else np.moveaxis(truth, -1, -2)
    truth = truth[None] if truth.ndim == 2 else truth
    if array.shape != truth.shape:
        return f"shape {_shape(array)}, not {_shape(truth)}"
    if float(np.abs(array.astype(float) - truth).max()) > wanted.tolerance:
        return f"other values: mean {float(array.mean()):.4g}, not {float(truth.mean()):.4g}"
    words = case.words if isinstance(case, Private) else ()
    said = [word for word in words if word in repr(list(image.meta.values()))]
    if said:
        return f"{len(said)} of {len(words)} planted words in the meta data"
    spacing = np.asarray(wanted.meta.get("spacing", np.nan), float)
    found = np.asarray(image.pixdim, float)[:2]
    if np.isfinite(spacing).all() and not np.allclose(found, spacing, rtol=1e-4):
        return f"spacing {found[0]:g} x {found[1]:g} mm, not {spacing[0]:g} x {spacing[1]:g}"
    return ""


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collects what is warned of, by warnings and by logging."""
    told: list[str] = []
    ear = logging.Handler(logging.WARNING)
    ear.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(ear)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield told
    finally:
        logging.getLogger().removeHandler(ear)
        told += [str(warning.message) for warning in caught]


def insight_installed() -> bool:
    """Whether MONAI finds ITK."""
    return bool(optional_import("itk", allow_namespace_pkg=True)[1])


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))
