"""Write monai_mtl/bundle/audit/monai_names.txt: where MONAI finds the bare names of a config.

MONAI resolves a ``_target_`` without a dot by a table of all classes and functions of its loaded modules
(``monai.bundle.ComponentLocator``). The audit needs that table without importing MONAI, so it is written here from the
installed MONAI, with MONAI's own function, and a test compares the two.

python scripts/monai_names.py          # prints the text
python scripts/monai_names.py --fix    # writes the file
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import fire
import monai
from monai.bundle import ComponentLocator

TABLE = Path(__file__).parents[1] / "monai_mtl" / "bundle" / "audit" / "monai_names.txt"


def table() -> str:
    """Text of the file: a module, then its names, both in order."""
    locator = ComponentLocator()
    # Its own filter takes every loaded module whose name starts so, this package too.
    modules = [name for name in locator._find_module_names() if name.split(".")[0] == "monai"]
    found: dict[str, list[str]] = {}
    for name, places in locator._find_classes_or_functions(modules).items():
        for place in places:
            found.setdefault(place, []).append(name)
    lines = [
        f"# The bare names of MONAI {monai.__version__}: a module, then its classes and functions.",
        "# Written by scripts/monai_names.py.",
    ]
    for place in sorted(found):
        names = " ".join(sorted(found[place]))
        lines += [place, *textwrap.wrap(names, 116, initial_indent="    ", subsequent_indent="    ")]
    return "\n".join(lines) + "\n"


def main(fix: bool = False) -> None:
    """Print or write the table.

    Args:
        fix: Whether to write.
    """
    if fix:
        TABLE.write_text(table())
    else:
        sys.stdout.write(table())


if __name__ == "__main__":
    fire.Fire(main)
