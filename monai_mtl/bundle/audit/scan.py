"""The audit of a whole bundle: each file by its kind."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .archives import archive_faults, tar_faults
from .arrays import is_array
from .configs import Configs
from .disguise import disguise_faults
from .documents import Unreadable, read_document
from .entries import LIMITS, UNREADABLE, Entry
from .fetched import fetched_faults
from .finding import Finding
from .logging_conf import logging_faults
from .names import Names, load_names
from .pages import network_faults, page_faults
from .pickles import looks_like_pickle, weights_faults
from .places import place_fault
from .python_code import code_faults, definitions
from .sources import open_source
from .syntax import MODULE
from .texts import path_fault

__all__ = ["audit"]

CONFIGS = {"json", "yaml", "yml"}
LOGGING = {"conf", "cfg", "ini"}
PAGES = {"html", "htm"}
WEIGHTS = {"pt", "pth", "ckpt", "pkl", "pickle", "joblib", "ts", "npy", "npz", "safetensors", "onnx"}
TEXT = {"md", "txt", "rst", "csv", "tsv", "sha256", "sig", "bib"}
PICTURES = {"png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp", "dcm", "nii", "mha", "mhd", "nrrd"}
BARE = {"license", "notice", "readme", "authors", "citation", "manifest", ".gitignore", ".gitattributes", "copying"}
FETCHED = PICTURES | WEIGHTS - {"pkl", "pickle", "joblib", "ts"}
"""Kinds of files that may be fetched later; a pickle or code would have been a finding."""
VENDORED = "scripts/monai_mtl/"
ELSEWHERE = re.compile(rb"^(?:ElementDataFile[ \t]*=|data ?file:)(.*)$", re.MULTILINE | re.IGNORECASE)
"""Where the head of a picture has its data in another file."""
PROGRAMS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
SHOWN = 3


def audit(path: str | Path, allow: str | Path | None = None) -> list[Finding]:
    """What a bundle holds that could run code, reach a network or leave its folder; nothing of it is run.

    Args:
        path: Folder, zip or tar archive of a bundle, or a single file.
        allow: File with names that are allowed besides, as :func:`load_names` reads it.

    Returns:
        The findings; none means that all that it names is on the lists.

    Raises:
        MissingError: If there is nothing at ``path``.
        ConfigError: If ``allow`` is no such file.
    """
    names = load_names(allow)
    entries, found = open_source(path)
    files = {entry.name: entry for entry in entries}
    code: dict[str, bytes] = {}
    documents: dict[str, Any] = {}
    for entry in entries:
        try:
            found += _entry(entry, names, files, code, documents)
        except UNREADABLE as error:
            what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
            found.append(Finding("config", entry.name, "", what, "what it holds is not known"))
    for name, value in documents.items():
        if PurePosixPath(name).name.lower().startswith("large_files."):
            found += fetched_faults(name, value, files, FETCHED)
    if list(files) != [Path(path).name]:  # a single file has no place in a bundle
        found += [fault for name in files if (fault := place_fault(name, CONFIGS | LOGGING, BARE)) is not None]
    found += Configs(documents, names, set(files), _finder(code, names)).findings()
    return _grouped(found)


def _entry(
    entry: Entry, names: Names, files: Mapping[str, Entry], code: dict[str, bytes], documents: dict[str, Any]
) -> list[Finding]:
    """What is wrong with a file by its kind, and what else it is if there is nothing wrong with it."""
    numbers = _suffix(entry.name) == "bin" and entry.name.rpartition(".")[0] + ".xml" in files  # of an OpenVINO network
    found = _plain(entry, "") if numbers else _look(entry, names, code, documents)
    return found or ([] if _is_weights(entry.name) and not numbers else disguise_faults(entry))


def _look(entry: Entry, names: Names, code: dict[str, bytes], documents: dict[str, Any]) -> list[Finding]:
    name, suffix = entry.name, _suffix(entry.name)
    base = PurePosixPath(name).name.lower()
    if _is_weights(name):
        return weights_faults(entry)
    if suffix in CONFIGS | LOGGING | PAGES | {"py", "xml"} and entry.size > LIMITS.text:
        return [Finding("config", name, "", f"{entry.size} bytes", "too large to be looked at")]
    if suffix in CONFIGS:
        return _document(entry, suffix, documents)
    if suffix in LOGGING:
        return logging_faults(name, entry.read(LIMITS.text))
    if suffix == "py":
        code[name] = entry.read(LIMITS.text)
        return _code(name, code[name], names)
    if suffix == "xml":
        return network_faults(name, entry.read(LIMITS.text))
    if _known(name, suffix, base):
        return _plain(entry, base)
    if suffix in ("zip", "whl", "egg", "jar", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar"):
        faults = archive_faults if entry.read(2) == b"PK" else tar_faults
        more = faults(entry.opened(), name)
        return [*more, Finding("archive", name, "", "an archive in the bundle", "what it holds is not looked at")]
    if suffix in ("css", "html") and _is_ours(name, entry.read(LIMITS.text)):
        return []
    if suffix in PAGES:
        return page_faults(name, entry.read(LIMITS.text))
    head = entry.read(16)
    if suffix in ("so", "pyd", "dll", "dylib", "exe", "pyc", "engine", "plan", "trt") or head.startswith(PROGRAMS):
        return [Finding("code", name, "", "a program, or compiled code", "what it does cannot be told")]
    if looks_like_pickle(head):
        return weights_faults(entry)
    if suffix in ("sh", "bat", "ps1", "ipynb", "js", "svg", "toml", "mk") or base in (
        "makefile",
        "dockerfile",
    ):
        return [Finding("code", name, "", "commands or code of another kind", "it is not looked at")]
    return [Finding("unknown", name, "", f"a file of kind '{suffix or base}'", "nobody knows what it is for")]


def _is_weights(name: str) -> bool:
    return _suffix(name) in WEIGHTS or (_suffix(name) == "bin" and "model" in PurePosixPath(name).name.lower())


def _known(name: str, suffix: str, base: str) -> bool:
    pictures = suffix in PICTURES or name.lower().endswith(".nii.gz")
    return suffix in TEXT or pictures or base in BARE


def _plain(entry: Entry, base: str) -> list[Finding]:
    head = entry.read(16)
    if head.startswith(PROGRAMS) or looks_like_pickle(head) or is_array(head) or head.startswith(b"PK\x03\x04"):
        return [
            Finding("code", entry.name, "", "not what its name says", "a program, a pickle, an array or an archive")
        ]
    if _suffix(entry.name) in ("mhd", "mha", "nrrd"):
        names = [one.decode("utf-8", "replace").strip() for one in ELSEWHERE.findall(entry.read(1 << 16))]
        why = "its data lies outside the bundle"
        return [Finding("file", entry.name, "", one, why) for one in names if path_fault(one)]
    if base.startswith("requirements") and base.endswith(".txt"):
        lines = entry.read(LIMITS.text).decode("utf-8", "replace").splitlines()
        wanted = re.compile(r"\s*(#.*|[A-Za-z0-9][\w.\-]*(\[[\w,]*\])?\s*([<>=!~]=?[^;@/]*)?(;[^@/]*)?)?")
        wrong = [(i, line) for i, line in enumerate(lines, 1) if not wanted.fullmatch(line)]
        why = "pip would install it from there"
        return [Finding("network", entry.name, f"line {i}", line, why) for i, line in wrong]
    return []


def _document(entry: Entry, suffix: str, documents: dict[str, Any]) -> list[Finding]:
    name = entry.name
    try:
        value, odd = read_document(entry.read(LIMITS.text), suffix)
    except Unreadable as error:
        return [Finding("config", name, "", str(error), "what it holds is not known")]
    found = [Finding("config", name, "", one, "two programs may read it differently") for one in odd]
    documents[name] = value
    return found


def _code(name: str, content: bytes, names: Names) -> list[Finding]:
    if hashlib.sha256(content).hexdigest() in names.code or _is_ours(name, content):
        return []
    found = code_faults(name, content)
    if found and not name.startswith("scripts/"):
        why = "it can be imported from the bundle's folder, in place of a package of its name"
        found.append(Finding("code", name, "", "Python outside scripts/", why))
    return found


def _is_ours(name: str, content: bytes) -> bool:
    """Whether a vendored file is the one of the package that does this audit."""
    if not name.startswith(VENDORED):
        return False
    path = Path(__file__).parents[2] / name.removeprefix(VENDORED)
    return path.is_file() and path.read_bytes() == content


def _finder(code: Mapping[str, bytes], names: Names) -> Callable[[str], str | None]:
    """What a name below ``scripts`` is: None for nothing of its own, a module, "" for its code, or its name in ours."""
    defined: dict[str, set[str]] = {}

    def find(name: str) -> str | None:
        """As the finder is described."""
        module, _, last = name.rpartition(".")
        path = module.replace(".", "/")
        file = next((one for one in (f"{path}.py", f"{path}/__init__.py") if one in code), None)
        if file is not None and file not in defined:
            defined[file] = definitions(code[file])
        if file is not None and last in defined[file]:  # before a module of this name, which it hides
            ours = file.startswith(VENDORED) and _is_ours(file, code[file])
            return name.removeprefix("scripts.") if ours else ""
        path = name.replace(".", "/")
        module_file = f"{path}.py" in code or any(one.startswith(path + "/") for one in code)
        return MODULE if module_file else None

    return find


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower().lstrip(".")


def _grouped(found: list[Finding]) -> list[Finding]:
    """At most a few findings of one file about paths of the same sort; lists of data may hold thousands."""
    seen: dict[tuple[str, str, str], list[Finding]] = {}
    for one in dict.fromkeys(found):
        place = "" if one.kind in ("file", "network") else f"{one.place} {one.what}"
        seen.setdefault((one.file, one.kind, f"{one.why} {place}"), []).append(one)
    kept = []
    for several in seen.values():
        kept += several[:SHOWN]
        if len(several) > SHOWN:
            first = several[0]
            kept.append(Finding(first.kind, first.file, "", f"and {len(several) - SHOWN} more", first.why))
    return kept
