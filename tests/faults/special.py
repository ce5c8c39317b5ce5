"""Cases that need more than a file and a reader: limits, identity, several files at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from monai_mtl.data import MedicalReader

from .case import Fault, complaints
from .measure import measured


@dataclass(frozen=True)
class Guarded(Fault):
    """A case that is judged in a process of its own, which must need no more than this.

    Args:
        seconds: Of the processor; what other programs do does not count.
        megabytes: By which the process grows.
        around: Entered while the files are read.
    """

    seconds: float = 2.0
    megabytes: float = 512.0
    around: Callable[[], AbstractContextManager] = nullcontext


@dataclass(frozen=True)
class Private(Fault):
    """A case whose meta data must not hold some words.

    Args:
        words: These.
    """

    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Special:
    """A case with a judge of its own.

    Args:
        id: As in :class:`Fault`.
        what: As there.
        outcome: Word for what is wanted.
        ours: Writes into an empty folder; in what we do not do what is wanted.
        plain: Does the same with MONAI alone: one of :data:`tests.faults.plain.CLASSES` and some words.
    """

    id: str
    what: str
    outcome: str
    ours: Callable[[Path], list[str]]
    plain: Callable[[Path], tuple[str, str]]


def judge(case: Fault | Special, folder: Path) -> list[str]:
    """In what the outcome of a case differs from the wanted one; empty if in nothing.

    Args:
        case: One of the table.
        folder: Empty.
    """
    if isinstance(case, Special):
        return case.ours(folder)
    if isinstance(case, Guarded):
        return _guarded(case, folder)
    wrong = complaints(case, folder)
    return wrong + _spoken(case, folder) if isinstance(case, Private) else wrong


def outcome(case: Fault | Special) -> str:
    """The wanted one in a word: same, refused or repaired."""
    return case.outcome if isinstance(case, Special) else type(case.wanted).__name__.lower()


def _guarded(case: Guarded, folder: Path) -> list[str]:
    made = case.make(folder)

    def read() -> list[str]:
        with case.around():
            return complaints(replace(case, make=lambda _: made), folder)

    wrong = read_once = measured(read)
    for _ in range(2):  # a slow first time is not a slow reader
        if read_once.seconds > case.seconds:
            read_once = measured(read)
    wrong = list(read_once.value) if read_once.failure == "" else [read_once.failure]
    wrong += [] if read_once.seconds <= case.seconds else [f"{read_once.seconds:.2f} s, not {case.seconds:g}"]
    wrong += [] if read_once.megabytes <= case.megabytes else [f"{read_once.megabytes:.0f} MB, not {case.megabytes:g}"]
    return wrong


def _spoken(case: Private, folder: Path) -> list[str]:
    path = sorted(folder.iterdir())[0]
    _, meta = MedicalReader(**case.options).get_data([path])
    text = repr(list(meta.values()))
    return [f"the meta data hold {word!r}" for word in case.words if word in text]
