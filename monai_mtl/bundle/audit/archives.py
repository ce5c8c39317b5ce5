"""Archives: their files, without unpacking them to disk, and what their tables alone give away."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from .entries import LIMITS, UNREADABLE, Entry, Limits
from .finding import Finding

__all__ = ["archive_faults", "tar_entries", "tar_faults", "zip_entries"]

DAMAGED = (*UNREADABLE, tarfile.TarError, ValueError)
"""What reading the heads of a tar archive may raise."""


def zip_entries(place: Path) -> Iterator[Entry]:
    """Files of a zip archive.

    Args:
        place: Of the archive.
    """
    archive = zipfile.ZipFile(place)
    infos = [info for info in archive.infolist() if not info.is_dir()]
    for info, name in zip(infos, _inside([info.filename for info in infos]), strict=True):
        yield Entry(name, info.file_size, partial(_member, archive, info))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    return archive.open(info)


def _inside(names: list[str]) -> list[str]:
    """Paths inside the bundle, where the archive holds its folder."""
    parts = [PurePosixPath(name).parts for name in names]
    nested = len({one[0] for one in parts}) == 1 and all(len(one) > 1 for one in parts)
    return ["/".join(one[1:] if nested else one) for one in parts]


def archive_faults(file: IO[bytes], name: str, limits: Limits = LIMITS) -> list[Finding]:
    """What is wrong with a zip archive, from its table alone.

    Args:
        file: Of the archive; seekable.
        name: As findings call it.
        limits: What it may unpack to.
    """
    try:
        with file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            file.seek(0, io.SEEK_END)
            length = file.tell()
            local = [_local_name(file, info) for info in infos[: limits.files]]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        return [Finding("archive", name, "", f"cannot be read: {error}", "programs disagree about what it holds")]
    found = [_name_fault(name, info.filename, info.external_attr >> 16) for info in infos]
    found += _size_faults(name, len(infos), sum(info.file_size for info in infos), limits)
    for info in infos:
        if info.file_size > 1 << 20 and info.file_size > limits.ratio * max(info.compress_size, 1):
            what = f"{info.filename}: {info.file_size} bytes out of {info.compress_size}"
            found.append(Finding("archive", name, "", what, "a bomb: it fills memory or disk"))
        if info.flag_bits & 1:
            found.append(Finding("archive", name, "", f"{info.filename} is encrypted", "it cannot be looked into"))
    if sum(info.compress_size for info in infos) > length:
        found.append(Finding("archive", name, "", "its files overlap", "a bomb: it fills memory or disk"))
    names = [info.filename for info in infos]
    if len({one.casefold() for one in names}) < len(names):
        found.append(Finding("archive", name, "", "holds a name twice", "which of the two is used differs by program"))
    if any(there is not None and there != info.filename for info, there in zip(infos, local, strict=False)):
        found.append(Finding("archive", name, "", "its two tables disagree", "what it holds differs by program"))
    return [one for one in found if one]


def _local_name(file: IO[bytes], info: zipfile.ZipInfo) -> str | None:
    """Name in the header before the data, which the table at the end should repeat."""
    file.seek(info.header_offset)
    header = file.read(30)
    if header[:4] != b"PK\x03\x04":
        return ""
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    return file.read(int.from_bytes(header[26:28], "little")).decode(encoding, "replace").split("\0")[0]


def tar_faults(file: IO[bytes], name: str) -> list[Finding]:
    """What is wrong with a tar archive, from the heads of its members alone; nothing if it is no tar archive.

    Args:
        file: Of the archive; seekable.
        name: As findings call it.
    """
    with file:
        try:
            known = tarfile.is_tarfile(file)
        except DAMAGED:
            known = True
        return tar_entries(file, name, read=False)[1] if known else []


def tar_entries(
    file: IO[bytes], name: str, limits: Limits = LIMITS, read: bool = True
) -> tuple[list[Entry], list[Finding]]:
    """Files of a tar archive, and what is wrong with it; no files if anything is.

    Args:
        file: Of the archive; seekable.
        name: As findings call it.
        limits: What it may unpack to.
        read: Whether the files are wanted.
    """
    entries, found, total = [], [], 0
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        with file, tarfile.open(fileobj=file) as archive:
            for count, info in enumerate(archive):
                total += info.size
                if fault := _name_fault(name, info.name, 0o120000 if info.issym() or info.islnk() else 0):
                    found.append(fault)
                if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                    found.append(Finding("archive", name, "", f"{info.name} is a device", "it is no file"))
                too_much = _size_faults(name, count, total, limits)
                if total > limits.ratio * length + (1 << 20):
                    too_much.append(Finding("archive", name, "", "unpacks to far more", "a bomb"))
                if too_much:
                    return [], found + too_much
                if read and info.isreg() and info.size <= limits.text:
                    content = archive.extractfile(info).read()  # type: ignore[union-attr]
                    entries.append(Entry(info.name, info.size, partial(io.BytesIO, content)))
                elif read and info.isreg():
                    found.append(Finding("archive", name, "", f"{info.name} is large", "not looked into"))
    except DAMAGED as error:
        return [], [Finding("archive", name, "", f"cannot be read: {error}", "it is broken or made to seem so")]
    names = _inside([entry.name for entry in entries])
    renamed = [Entry(inside, entry.size, entry.opened) for entry, inside in zip(entries, names, strict=True)]
    return ([] if found else renamed), found


def _name_fault(archive: str, name: str, mode: int) -> Finding | None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
        return Finding("archive", archive, "", name, "it unpacks outside its folder")
    if stat.S_ISLNK(mode):
        return Finding("archive", archive, "", f"{name} is a link", "what is written through it lands elsewhere")
    return None


def _size_faults(name: str, files: int, size: int, limits: Limits) -> list[Finding]:
    found = []
    if files > limits.files:
        found.append(Finding("archive", name, "", f"{files} files", "it fills the disk"))
    if size > limits.size:
        found.append(Finding("archive", name, "", f"unpacks to {size} bytes", "a bomb: it fills memory or disk"))
    return found
