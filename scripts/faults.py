"""The fault matrix: what plain MONAI and this package make of 53 bad or unusual inputs.

python scripts/faults.py                                     prints it
python scripts/faults.py --markdown docs/reference/faults.md  also writes the page

Every verdict is computed in the run: files are made, read, and compared with what they are known to hold. Needs the
extra ``dev``. Exit code 1 if one case of ours is not as wanted.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fire
import monai
import torch
from monai.transforms import LoadImage

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.faults.case import Fault
from tests.faults.cases import CASES
from tests.faults.dicom import one
from tests.faults.measure import measured
from tests.faults.plain import CLASSES, READERS, comparable, insight_installed, judge_plainly
from tests.faults.special import Special, judge, outcome

WORDS = {"same": "right", "loud": "error", "nameless": "error", "limit": "LIMIT", "silent": "SILENT"}
USED = ("monai", "pydicom", "nibabel", "Pillow")
Verdict = tuple[str, str]


def main(markdown: str = "") -> None:
    """Judge all cases.

    Args:
        markdown: File that the page is written to.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("nibabel.global").handlers.clear()
    insight = insight_installed()
    if insight:  # the first use loads ITK, which is not the time of a case
        in_folder(lambda folder: LoadImage("ITKReader")(one()(folder)))
    rows, wrong = [], []
    for name, entries in CASES.items():
        found = [f"{case.what}: {text}" for case in entries for text in in_folder(lambda f, c=case: judge(c, f))]
        wrong += [f"{name}: {text}" for text in found]
        plain = [plainly(entries, reader, insight) for reader in (None, *READERS)[: 3 if name[0] == "D" else 1]]
        rows.append((name, entries[0].what, outcome(entries[0]), plain, "yes" if not found else "NO"))
        print(f"{name:>4}  {entries[0].what[:52]:52}  {outcome(entries[0]):8}  ours {rows[-1][4]:3}  {told(plain[0])}")
        for reader, verdict in zip(READERS, plain[1:], strict=False):
            print(f"{'':58}{reader:>22}  {told(verdict)}")
    good = sum(row[4] == "yes" for row in rows)
    counts = Counter(row[3][0][0] for row in rows)
    summary = ", ".join(f"{counts[name]} {text}" for name, text in zip(CLASSES, SUMMARY, strict=True))
    summary = f"MONAI {monai.__version__}, of {len(rows)}: {summary}"
    if markdown:
        Path(markdown).write_text(page(rows, summary, f"{good} of {len(rows)} as wanted", insight))
    print(*(["", *wrong] if wrong else []), sep="\n")
    print(summary)
    print(f"{good} of {len(rows)} as wanted")
    sys.exit(good < len(rows))


SUMMARY = ("right", "errors that name the file", "errors that do not", "over 2 s or 512 MB", "silently wrong")


def plainly(entries: list[Fault | Special], reader: str | None, insight: bool) -> Verdict:
    """The worst verdict over what MONAI can be asked for."""
    if reader == "ITKReader" and not insight:
        return "", "ITK is not installed"
    verdicts = []
    for i, case in enumerate(entries):
        if isinstance(case, Special):
            run = measured(lambda c=case: in_folder(c.plain))
            verdict = run.value or ("limit", run.failure)
        elif comparable(case):
            verdict = in_folder(lambda f, c=case: judge_plainly(c, f, reader))
        else:
            continue
        verdicts.append((verdict[0], verdict[1] + (f" ({case.what})" if i and verdict[0] != "same" else "")))
    return max(verdicts, key=lambda verdict: CLASSES.index(verdict[0]))


def in_folder(function: Callable[[Path], Any]) -> Any:
    """Call a function with an empty folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        return function(Path(name))


def told(verdict: Verdict) -> str:
    """A verdict in words."""
    return ": ".join(part for part in (WORDS.get(verdict[0], ""), verdict[1]) if part)


def page(rows: list[tuple], summary: str, last: str, insight: bool) -> str:
    """The published form."""
    lines = [
        "# Fault matrix",
        "What becomes of 53 bad or unusual inputs. `make faults` shows this table: it makes every file, reads it with",
        "plain MONAI and with [the reader](reader.md), and compares the result with what the file is known to hold.",
        "Files and wanted outcomes are in `tests/faults`; a test runs them all.",
        "",
        "- **wanted**: `same`: exactly these pixels and meta data; `refused`: an error that names file, reason and",
        "  fix; `repaired`: these pixels and a notice.",
        "- **plain MONAI**: `LoadImage(image_only=True, ensure_channel_first=True)`; for DICOM also with its two",
        "  readers by name. x first, as MONAI documents it, is right. The third axis of length 1 that `ITKReader`",
        "  adds counts in D2 only. The pixels of D13 and D21 are sound, so reading them is right too. Of several files",
        "  of a case the worst verdict counts.",
        "- **SILENT**: another result without an error. **LIMIT**: more than 2 s of the processor or 512 MB.",
        "- **ours**: whether all files of the case, with all choices that there are, come out as wanted.",
        "",
        f"{summary}.",
        f"Read with {', '.join(f'{name} {version(name)}' for name in (*USED, *(['itk-core'] if insight else [])))}"
        f"{'' if insight else '; ITK was not installed'}.",
        f"This package: {last}.",
        "",
        "| case | input | wanted | plain MONAI | `PydicomReader` | `ITKReader` | ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, what, wanted, plain, ours in rows:
        cells = [told(verdict).replace("|", "/") for verdict in plain] + [""] * (3 - len(plain))
        lines.append(f"| {name} | {what} | {wanted} | {' | '.join(cells)} | {ours} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    fire.Fire(main)
