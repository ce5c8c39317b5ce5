"""Reports of finished runs."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path

__all__ = ["report"]


def report(run: str, names: bool = False, json: bool = False) -> int:
    """Write the report of a finished evaluation again: report.html and report.json.

    Args:
        run: Folder of the evaluation, or of the run that holds it in eval/.
        names: Call the cases by their names too; they may tell who a patient is.
        json: Print the paths and the size as JSON.

    Returns:
        Exit code.

    Raises:
        MissingError: If there is no finished evaluation.
        DataError: If its files do not fit each other.
    """
    from ..outputs.report import write_report

    page = write_report(Path(str(run)).expanduser(), names)
    size = page.stat().st_size
    if json:
        made = {"report": str(page), "json": str(page.with_suffix(".json")), "bytes": size}
        sys.stdout.write(json_format.dumps(made, indent=4) + "\n")
    else:
        sys.stdout.write(f"report: {page} ({size / 1e6:.1f} MB)\n")
    return 0
