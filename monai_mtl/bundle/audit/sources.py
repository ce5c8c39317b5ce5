"""The files of a bundle, of whatever form, and what its form alone gives away."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from functools import partial
from pathlib import Path
from typing import IO

from ...errors import MissingError
from .archives import archive_faults, tar_entries, zip_entries
from .entries import Entry
from .finding import Finding

__all__ = ["open_source"]


def open_source(path: str | Path) -> tuple[list[Entry], list[Finding]]:
    """Files of a folder, an archive or a single file.

    Args:
        path: Of the bundle.

    Returns:
        The files that may be looked into, and findings about the form. Nothing is unpacked to disk.

    Raises:
        MissingError: If there is nothing at ``path``.
    """
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    if not place.is_file():
        raise MissingError(f"there is no {path}", fix="give the folder of a bundle, an archive or a file")
    if place.suffix.lower() == ".zip" and zipfile.is_zipfile(place):
        faults = archive_faults(place.open("rb"), place.name)
        return ([] if faults else list(zip_entries(place))), faults
    if (tarfile.is_tarfile(place) and ".tar" in "".join(place.suffixes[-2:]).lower()) or place.suffix.lower() == ".tgz":
        return tar_entries(place.open("rb"), place.name)
    return [Entry(place.name, place.stat().st_size, partial(_opened, place))], []


def _folder(root: Path) -> tuple[list[Entry], list[Finding]]:
    entries: list[Entry] = []
    findings: list[Finding] = []
    within = root.resolve()

    def unread(error: OSError) -> None:
        """A folder whose names cannot be had."""
        inside = Path(error.filename).relative_to(root).as_posix()
        findings.append(
            Finding("config", inside, "", f"cannot be read: {error.strerror}", "what it holds is not known")
        )

    for folder, folders, names in os.walk(root, onerror=unread):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name != ".git" or (root / name).is_symlink()]
        for name in sorted([*names, *folders]):
            path = Path(folder) / name
            inside = path.relative_to(root).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                if fault := _link_fault(path, within):
                    findings.append(Finding("file", inside, "", f"link to {os.readlink(path)}", fault))
                else:
                    entries.append(Entry(inside, path.stat().st_size, partial(_opened, path)))
            elif stat.S_ISREG(mode):
                entries.append(Entry(inside, path.stat().st_size, partial(_opened, path)))
            elif not stat.S_ISDIR(mode):
                findings.append(Finding("file", inside, "", "a device, pipe or socket", "reading it may never end"))
        folders.sort()
    return entries, findings


def _link_fault(path: Path, within: Path) -> str | None:
    """Why a link is no other name of a file of the bundle."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # Python before 3.13 raises the latter for links in a circle
        target = path.parent.resolve() / os.readlink(path)
        outside = not Path(os.path.normpath(target)).is_relative_to(within)
        return "it leaves the bundle" if outside else "it leads nowhere, or to what comes there later"
    if not target.is_relative_to(within):
        return "it leaves the bundle"
    return None if target.is_file() else "a linked folder: code in it can be imported by a name that is not looked at"


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")
