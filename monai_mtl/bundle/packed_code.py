"""Code of packed bundles runs from the sources that the manifest names. Imports neither torch nor MONAI.

Python takes ``__pycache__/net.cpython-311.pyc`` in place of ``net.py`` if the date and size in its head are those of
the source, or if its head says that nobody should compare. Who can write that file runs code in a checked bundle.
"""

from __future__ import annotations

import sys
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

from .manifest import MANIFEST, check_manifest

__all__ = ["admit", "import_from_source"]

_folders: set[Path] = set()


class SourceLoader(SourceFileLoader):
    """Compiles a source each time: neither reads nor writes a cache."""

    def get_code(self, fullname: str) -> CodeType:
        """Code of a module.

        Args:
            fullname: Of the module.
        """
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def admit(folder: str | Path) -> list[str]:
    """Let a bundle in: a packed one must be what its manifest says, and its code is then imported from source.

    Args:
        folder: Of any bundle; one without a manifest passes.

    Returns:
        Weights that have changed since it was packed.

    Raises:
        ConfigError: Naming the configs and code that are not those that were packed.
    """
    retrained = check_manifest(folder)
    if (Path(folder) / MANIFEST).is_file():
        import_from_source(folder)
    return retrained


def import_from_source(folder: str | Path) -> None:
    """From now on, import modules below a folder from their ``.py`` files only.

    Args:
        folder: Of a packed bundle.
    """
    root = Path(folder).resolve()
    if _finder not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder)
    _folders.add(root)
    for entry in [one for one in sys.path_importer_cache if Path(one).resolve().is_relative_to(root)]:
        del sys.path_importer_cache[entry]


def _finder(path: str) -> FileFinder:
    place = Path(path).resolve()
    if not any(place.is_relative_to(folder) for folder in _folders):
        raise ImportError("not of a packed bundle", path=path)  # so Python asks the next hook
    return FileFinder(path, (SourceLoader, [".py"]))
