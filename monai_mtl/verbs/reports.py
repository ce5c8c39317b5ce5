"""Reports of finished runs, and how several of them compare."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path

__all__ = ["compare", "report"]


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


def compare(*runs: str, output: str | None = None, draws: int = 1000, json: bool = False) -> int:
    """Compare finished evaluations of the same cases: figures of each, and differences to the first with intervals.

    The same patients are drawn for both sides of a difference.

    Args:
        *runs: Folders of evaluations, or of the runs that hold them in eval/; the first is what others are compared to.
        output: Folder for table.md and table.json.
        draws: Draws of an interval.
        json: Print the table as JSON.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there are fewer than two runs, or they have no set of figures in common.
        DataError: If they are of different cases or data.
        MissingError: If one holds no finished evaluation.
    """
    from ..outputs.comparison import compare_runs
    from ..outputs.result_json import finite
    from ..outputs.study_table import study_lines, write_study

    content = compare_runs([Path(str(run)).expanduser() for run in runs], draws)
    title = f"{len(runs)} runs compared"
    if output is not None:
        write_study(content, title, Path(str(output)).expanduser())
    if json:
        sys.stdout.write(json_format.dumps(finite({"title": title, **content}), indent=4) + "\n")
    else:
        sys.stdout.write("\n".join(study_lines(content, title)) + "\n")
    return 0
