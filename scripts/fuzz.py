"""Reads damaged images and counts what comes of them; ends with 1 if a bar is missed.

python scripts/fuzz.py                                  10,000 of them
python scripts/fuzz.py --mutants 1000 --seed 7          others, fewer
python scripts/fuzz.py --out fuzz.json --keep offenders results, and the files that a bar was missed with

Every mutant is read twice, without and with the digest of the whole file. same: as the whole file, in pixels,
shape, spacing, bits, side and view. refused: by our error, with the file's name and what to do. silent: something
else was read. foreign: any other exception. over: more than 2 s of the processor or 512 MB.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import fire

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults.fuzz import CLASSES, Result, accepted, missed, mutant  # noqa: E402
from tests.faults.fuzz_seeds import Seed, make_seeds  # noqa: E402
from tests.faults.fuzz_workers import fuzz  # noqa: E402

BAD = ("foreign", "over", "crash")
SHOWN = 3


def row(name: str, results: Sequence[Result]) -> str:
    """Counts of one seed."""
    counts = Counter(result.plain for result in results)
    changed = len(results) - counts["unmutated"]
    share = 100 * counts["silent"] / max(changed, 1)
    hashed = sum(result.hashed in ("silent", "same") for result in results)
    slowest, most = max(result.cpu_s for result in results), max(result.growth_mb for result in results)
    columns = "".join(f"{counts[kind]:>10}" for kind in CLASSES)
    return f"{name:<15}{len(results):>8}{columns}{share:>10.1f}{hashed:>13}{slowest:>12.3f}{most:>9.0f}"


def offends(result: Result, sealed: set[str]) -> bool:
    """Whether a bar is missed with it."""
    open_seal = result.plain == "silent" and result.seed in sealed
    return open_seal or result.plain in BAD or result.hashed in ("silent", "same", *BAD)


def show_problems(offenders: Sequence[Result]) -> None:
    """The first few of every kind, told apart by their details without the numbers in them."""
    groups: dict[str, list[Result]] = {}
    for result in offenders:
        kind = (
            re.sub(r"b'.*'|b\".*\"|\d+", "#", result.detail.rsplit(" (", 1)[0])[:60] + result.detail.rsplit(" (", 1)[-1]
        )
        groups.setdefault(kind, []).append(result)
    for group in groups.values():
        print(f"\n{len(group)} x {group[0].detail}")
        for result in group[:SHOWN]:
            print(f"  {result.seed}, {result.damage} (number {result.number})")


def keep_files(offenders: Sequence[Result], seeds: Sequence[Seed], seed: int, folder: Path) -> None:
    """Write the damaged files again."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in offenders:
        whole, content, _ = mutant(seeds, result.number, seed)
        (folder / f"{result.number}_{whole.name.replace(' ', '_')}{whole.suffix}").write_bytes(content)


def main(mutants: int = 10000, seed: int = 0, out: str | None = None, keep: str | None = None) -> None:
    """Make and read them.

    Args:
        mutants: How many.
        seed: The same seed makes the same mutants.
        out: JSON file to write the results to.
        keep: Folder for the files that a bar was missed with.

    Raises:
        SystemExit: With 1 if a bar is missed.
    """
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    start, seeds = time.perf_counter(), make_seeds()
    results = fuzz(seeds, range(mutants), seed)
    heads = "".join(f"{kind:>10}" for kind in CLASSES)
    print(f"{'seed':<15}{'mutants':>8}{heads}{'silent %':>10}{'with digest':>13}{'slowest, s':>12}{'most, MB':>9}")
    for name in dict.fromkeys(whole.name for whole in seeds):
        if of_one := [result for result in results if result.seed == name]:
            print(row(name, of_one))
    print(row("all", results))
    print("with digest: read although the digest differs. s: of the processor; a busy machine does not count.")
    offenders = [result for result in results if offends(result, {whole.name for whole in seeds if whole.sealed})]
    show_problems(offenders)
    if keep and offenders:
        keep_files(offenders, seeds, seed, Path(keep))
    bars = missed(results, seeds)
    if out:
        content = {"seed": seed, "missed": bars, "results": [asdict(result) for result in results]}
        Path(out).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    print(f"\n{len(results)} mutants in {time.perf_counter() - start:.0f} s, seed {seed}")
    print(f"whole files read: {accepted(seeds)} of {len(seeds)}")
    print("as wanted" if not bars else "\n".join(f"not as wanted: {bar}" for bar in bars))
    if bars:
        raise SystemExit(1)


if __name__ == "__main__":
    fire.Fire(main)
