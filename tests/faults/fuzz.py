"""What the reader makes of damaged files: each in a worker process, with its time and memory."""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from monai_mtl.data import MedicalReader
from monai_mtl.data.reader import read_size
from monai_mtl.errors import ImageError, MissingError
from monai_mtl.memory import release_free_memory
from monai_mtl.transforms import VerifySHA256d

from .fuzz_seeds import Seed
from .mutate import mutate

CLASSES = ("same", "refused", "silent", "foreign", "over", "crash", "unmutated")
CPU_LIMIT_S, MEMORY_LIMIT_MB = 2.0, 512.0
HANG_S = 10.0
"""Wall time after which a mutant is interrupted."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Result:
    """What became of one mutant.

    Args:
        number: By which :func:`mutant` makes it again.
        seed: Name of the whole file.
        damage: What was done to it.
        plain: One of :data:`CLASSES`, read without a digest.
        hashed: The same with the digest of the whole file given.
        detail: The error, or what differs.
        cpu_s: Of reading without a digest. It decides, because wall time depends on who else is at work.
        wall_s: Likewise.
        growth_mb: Of the high-water mark of memory.
    """

    number: int
    seed: str
    damage: str
    plain: str
    hashed: str
    detail: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    growth_mb: float = 0.0


class HangError(BaseException):
    """Raised by an alarm; not an ``Exception``, so that no reader takes it for damage."""


def mutant(seeds: Sequence[Seed], number: int, seed: int) -> tuple[Seed, bytes, str]:
    """The whole file, its damaged content and what was done; ``seed`` is the fuzzer's random seed."""
    whole = seeds[number % len(seeds)]
    return (whole, *mutate(whole.content, np.random.default_rng([seed, number])))


def read(path: Path, seed: Seed) -> dict[str, Any]:
    """All that must not change unnoticed."""
    reader = MedicalReader(**seed.options)
    array, meta = reader.get_data(reader.read([path]))
    found = {name: meta.get(name) for name in ("spacing", "bits", "laterality", "view")}
    return {"shape": array.shape, "pixels": array, **found}


def classify(path: Path, seed: Seed, truth: dict[str, Any], digest: str = "") -> tuple[str, str]:
    """One of "same", "refused", "silent" and "foreign", and the detail; compares with ``digest`` first if given."""
    try:
        if digest:
            VerifySHA256d()({"image": str(path), "sha256_image": digest})
        found = read(path, seed)
    except (ImageError, MissingError) as error:
        lacks = [
            name for name, has in (("name", path.name in str(error)), ("fix", error.fix or error.expected)) if not has
        ]
        return ("foreign", f"no {lacks[0]} in: {error}") if lacks else ("refused", error.what)
    except (HangError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        return "foreign", _place(error)
    for name, value in truth.items():
        if not np.array_equal(found[name], value, equal_nan=name in ("spacing", "pixels")):
            return "silent", name
    return "same", ""


def size_fault(path: Path) -> str:
    """What is wrong with reading the size alone, which may be refused."""
    try:
        read_size(path)
    except (ImageError, MissingError) as error:
        return "" if path.name in str(error) else f"read_size: no name in: {error}"
    except (HangError, KeyboardInterrupt):
        raise
    except BaseException as error:
        return f"read_size: {_place(error)}"
    return ""


def judge(seeds: Sequence[Seed], truths: Sequence[dict], number: int, seed: int, folder: Path) -> Result:
    """Read one mutant in this process."""
    whole, content, damage = mutant(seeds, number, seed)
    if content == whole.content:
        return Result(number, whole.name, damage, "unmutated", "unmutated")
    path = folder / f"{whole.name.replace(' ', '_')}_{number}{whole.suffix}"
    path.write_bytes(content)
    before, cpu, wall = _reset_peak(), time.process_time(), time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        found, detail = classify(path, whole, truths[number % len(seeds)])
        if fault := size_fault(path):
            found, detail = "foreign", fault
    except HangError as error:
        found, detail = "over", f"interrupted after {HANG_S:g} s at {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    cpu, wall, growth = time.process_time() - cpu, time.perf_counter() - wall, (_peak() - before) / 1e6
    if found != "foreign" and (cpu > CPU_LIMIT_S or growth > MEMORY_LIMIT_MB):
        found, detail = "over", f"{cpu:.1f} s, {growth:.0f} MB: {detail}"
    hashed, why = classify(path, whole, truths[number % len(seeds)], sha256(whole.content).hexdigest())
    detail = f"with a digest: {why}" if hashed in ("silent", "foreign") else detail
    path.unlink()
    detail = detail.replace(f"{folder}/", "")  # which is another one in every run
    return Result(number, whole.name, damage, found, hashed, detail, cpu, wall, growth)


def accepted(seeds: Sequence[Seed]) -> int:
    """How many of the whole files are read, with their digests given."""
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for seed in seeds:
            path = Path(folder) / f"whole{seed.suffix}"
            path.write_bytes(seed.content)
            count += classify(path, seed, read(path, seed), sha256(seed.content).hexdigest())[0] == "same"
        return count


def missed(results: Sequence[Result], seeds: Sequence[Seed]) -> list[str]:
    """Which of the bars are missed, a line each."""
    sealed = {seed.name for seed in seeds if seed.sealed}
    counts = {
        "whole files are not read": len(seeds) - accepted(seeds),
        "raise something else than our error": sum("foreign" in (r.plain, r.hashed) for r in results),
        f"take more than {CPU_LIMIT_S:g} s or {MEMORY_LIMIT_MB:g} MB": sum(r.plain == "over" for r in results),
        "end the process": sum(r.plain == "crash" for r in results),
        "read as something else though the format has checksums": sum(
            r.plain == "silent" and r.seed in sealed for r in results
        ),
        "are read though their digests differ": sum(r.hashed in ("silent", "same") for r in results),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def _place(error: BaseException) -> str:
    """The error with the last line of this package and the last line of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "monai_mtl" in Path(frame.filename).parts]
    shown = dict.fromkeys(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:]))
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({', '.join(shown)})"


def _reset_peak() -> int:
    release_free_memory()  # what the C library keeps from before would hide as much growth
    with suppress(OSError):  # elsewhere than on Linux, growth is that of the highest so far
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
