"""``monai-mtl audit``."""

from __future__ import annotations

import json as json_format
import sys

from .scan import audit as scan

__all__ = ["audit"]


def audit(path: str, json: bool = False, allow: str | None = None) -> int:
    """Look into a bundle of somebody else's without running any of it.

    Args:
        path: Folder, zip or tar archive of a bundle, or a single file.
        json: Print the findings as JSON.
        allow: JSON file with what is allowed besides: {"callables": [], "members": [], "imports": [], "code": []}.

    Returns:
        Exit code: 1 if there are findings.

    Raises:
        MissingError: If there is nothing at ``path``.
        ConfigError: If ``allow`` is no such file.
    """
    found = scan(str(path), allow)
    if json:
        sys.stdout.write(json_format.dumps({"findings": [one.to_json() for one in found]}, indent=4) + "\n")
    else:
        sys.stdout.write("".join(one.text() + "\n" for one in found))
        sys.stdout.write(f"{path}: {len(found)} findings\n")
    return 1 if found else 0
