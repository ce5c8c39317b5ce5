"""A look at the data before anything is trained on them."""

from __future__ import annotations

import json as json_format
import sys
from typing import Any

from ..cli_settings import reading_of, refuse_unknown

__all__ = ["check"]


def check(
    bundle: str | dict,
    data: str,
    output: str | None = None,
    json: bool = False,
    write_hashes: str | None = None,
    **settings: Any,
) -> int:
    """Look at a whole data set at once, before anything is trained on it.

    Args:
        bundle: Name or folder of a bundle, whose train.json says how the set is read; or the classes, such as
            '{"seg": ["background", "mass"], "cls": ["no mass", "mass"]}'.
        data: Folder with the data set.
        output: Folder for check.json and check.png.
        json: Print the report as JSON.
        write_hashes: File to write a datalist with the digests of all files to, if nothing is wrong.
        **settings: Arguments of load_datalist that replace those of the bundle, such as --fold 1.

    Returns:
        Exit code.

    Raises:
        ConfigError: If there is no such bundle, or classes or settings are not understood.
        DataError: If there is no data set.
    """
    from ..data import examine_dataset
    from ..data.hashes import write_datalist

    given = {"classes": bundle} if isinstance(bundle, dict) else reading_of(str(bundle), str(data))
    arguments = given | settings
    refuse_unknown(arguments, examine_dataset)
    sections, report = examine_dataset(str(data), **{**arguments, "output_dir": output})
    if json:
        sys.stdout.write(json_format.dumps(report.to_json(), indent=4) + "\n")
    else:
        for one in report.findings:
            sys.stdout.write(f"{one.severity}: {one.text()}\n")
        summary = f"{report.total} cases, {len(report.errors)} kinds of errors, {len(report.warnings)} of warnings"
        sys.stdout.write(summary + (f"; details: {report.details}" if report.details else "") + "\n")
    if report.errors:
        return 2
    if write_hashes is not None:
        write_datalist(sections, str(data), write_hashes)
    return 0
