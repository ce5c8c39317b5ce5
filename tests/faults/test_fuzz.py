"""The fuzzer, and a small run of it; ``make fuzz`` is the long one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_mtl.errors import ImageError

from . import fuzz as module
from . import fuzz_workers
from .fuzz import Result, accepted, classify, missed, mutant, read
from .fuzz_seeds import Seed, make_seeds
from .fuzz_workers import fuzz
from .mutate import HEAD, OPERATIONS, mutate, position

SEEDS = make_seeds()
PLAIN = bytes([0x5A]) * 2000
MUTANTS = 720


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_every_operation_changes_the_content_and_is_repeatable(operation: Any) -> None:
    for seed in range(50):
        damaged, damage = operation(PLAIN, np.random.default_rng(seed))
        assert damaged != PLAIN
        assert (damaged, damage) == operation(PLAIN, np.random.default_rng(seed))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_operations_bear_a_single_byte(operation: Any) -> None:
    for seed in range(50):
        assert len(operation(b"Z", np.random.default_rng(seed))[0]) <= 33


def test_half_of_the_positions_are_in_the_head() -> None:
    rng = np.random.default_rng(0)
    places = np.array([position(bytes(6000), rng) for _ in range(4000)])
    assert np.mean(places < HEAD) == pytest.approx(0.5 + 0.5 * HEAD / 6000, abs=0.03)
    assert places.max() < 6000


def test_mutate_uses_every_operation_and_depends_on_the_seed_only() -> None:
    made = [mutate(PLAIN, np.random.default_rng(seed)) for seed in range(100)]
    assert made == [mutate(PLAIN, np.random.default_rng(seed)) for seed in range(100)]
    assert len({damage.split()[0] for _, damage in made}) == len(OPERATIONS)


def test_seeds_are_the_same_bytes_every_time_and_are_read() -> None:
    assert make_seeds() == SEEDS
    assert accepted(SEEDS) == len(SEEDS)


def test_a_mutant_has_a_number() -> None:
    assert mutant(SEEDS, 19, 0) == mutant(SEEDS, 19, 0)
    assert mutant(SEEDS, 19, 0)[1] != mutant(SEEDS, 19, 1)[1]
    assert mutant(SEEDS, 19, 0)[0].name == SEEDS[1].name


def test_small_run_is_as_wanted() -> None:
    results = fuzz(SEEDS, range(MUTANTS))
    assert [result.number for result in results] == list(range(MUTANTS))
    assert missed(results, SEEDS) == [], [r for r in results if r.plain in ("foreign", "over", "crash")][:5]
    assert {result.hashed for result in results} == {"refused", "unmutated"}
    # Formats without checksums do hide damage, or the fuzzer would be blind.
    assert any(result.plain == "silent" for result in results)


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    one, three = (fuzz(SEEDS, range(36), seed=5, workers=workers) for workers in (1, 3))
    assert [(r.damage, r.plain, r.hashed) for r in one] == [(r.damage, r.plain, r.hashed) for r in three]


def _with_reader(monkeypatch: pytest.MonkeyPatch, reading: Any) -> list[Result]:
    """Results of four mutants of which the third is read by ``reading``."""

    def replaced(path: Path, seed: Seed) -> dict:
        return reading(path) if path.stem.endswith("_2") else read(path, seed)

    monkeypatch.setattr(module, "read", replaced)
    return fuzz(SEEDS[:1], range(4))


def _foreign(path: Path) -> dict:
    raise OSError(f"{path} is strange")


def _nameless(path: Path) -> dict:
    raise ImageError("something is wrong", fix="find it")


def _hang(path: Path) -> dict:
    while True:
        time.sleep(0.01)


def _hang_in_c(path: Path) -> dict:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    return _hang(path)


def _compute(path: Path) -> dict:
    start = time.process_time()
    while time.process_time() - start < 0.3:
        pass
    raise ImageError(f"{path.name} is slow", fix="wait")


def _fill(path: Path) -> dict:
    bytes(np.ones(80_000_000, np.uint8))
    raise ImageError(f"{path.name} is large", fix="shrink it")


def _die(path: Path) -> dict:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("reading", "wanted", "detail"),
    [
        (_foreign, "foreign", "OSError"),
        (_nameless, "foreign", "no name in"),
        (_hang, "over", "interrupted"),
        (_hang_in_c, "over", "killed after 2 s"),
        (_compute, "over", "0.3 s"),
        (_fill, "over", "MB"),
        (_die, "crash", "ended with -9"),
    ],
)
def test_a_bad_reader_is_found(monkeypatch: pytest.MonkeyPatch, reading: Any, wanted: str, detail: str) -> None:
    if wanted == "over":
        monkeypatch.setattr(module, "HANG_S", 1.0 if reading is _hang else 30.0)
        monkeypatch.setattr(fuzz_workers, "STUCK_S", 2.0 if reading is _hang_in_c else 60.0)
    monkeypatch.setattr(module, "CPU_LIMIT_S", 0.25)
    monkeypatch.setattr(module, "MEMORY_LIMIT_MB", 60.0)
    results = _with_reader(monkeypatch, reading)
    assert [result.plain for result in results] == ["refused", "refused", wanted, "refused"]
    assert detail in results[2].detail
    assert len(missed(results, SEEDS)) == 1


def test_what_differs_is_named(tmp_path: Path) -> None:
    whole = next(seed for seed in SEEDS if seed.name == "dicom plain")
    path = tmp_path / "a.dcm"
    path.write_bytes(whole.content)
    truth = read(path, whole)
    assert classify(path, whole, truth) == ("same", "")
    path.write_bytes(whole.content.replace(b"CS\x02\x00L ", b"CS\x02\x00R "))
    assert classify(path, whole, truth) == ("silent", "laterality")
    path.write_bytes(whole.content[:-1] + b"\x01")
    assert classify(path, whole, truth) == ("silent", "pixels")
    path.write_bytes(whole.content.replace(b"0.085", b"0.086"))
    assert classify(path, whole, truth) == ("silent", "spacing")


def test_bars() -> None:
    fine = Result(0, "png grey", "", "refused", "refused")
    assert missed([fine], SEEDS) == []
    for plain, hashed in (("silent", "refused"), ("same", "same"), ("refused", "silent"), ("same", "foreign")):
        assert len(missed([fine, Result(1, "png grey", "", plain, hashed)], SEEDS)) == 1
    assert missed([Result(1, "jpeg grey", "", "silent", "refused")], SEEDS) == []
