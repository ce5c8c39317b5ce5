"""The audit of a whole bundle: each file by its kind."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .configs import Configs
from .documents import Unreadable, read_document
from .finding import Finding
from .logging_conf import logging_faults
from .names import Names, load_names
from .pages import page_faults
from .pickles import looks_like_pickle, weights_faults
from .python_code import code_faults, definitions
from .sources import LIMITS, Entry, archive_faults, open_source, tar_faults
from .syntax import MODULE

__all__ = ["audit"]

CONFIGS = {"json", "yaml", "yml"}
LOGGING = {"conf", "cfg", "ini"}
PAGES = {"html", "htm"}
WEIGHTS = {"pt", "pth", "ckpt", "pkl", "pickle", "joblib", "ts", "npy", "npz", "safetensors", "onnx"}
TEXT = {"md", "txt", "rst", "csv", "tsv", "sha256", "sig", "bib", "xml"}
PICTURES = {"png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp", "dcm", "nii", "mha", "mhd", "nrrd"}
BARE = {"license", "notice", "readme", "authors", "citation", "manifest", ".gitignore", ".gitattributes", "copying"}
VENDORED = "scripts/monai_mtl/"
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
    files = {entry.name for entry in entries}
    code: dict[str, bytes] = {}
    documents: dict[str, Any] = {}
    for entry in entries:
        try:
            entry.read(1)
        except OSError as error:
            found.append(
                Finding("config", entry.name, "", f"cannot be read: {error.strerror}", "what it holds is not known")
            )
            continue
        beside = entry.name.rpartition(".")[0] + ".xml" in files
        found += _raw(entry) if beside and _suffix(entry.name) == "bin" else _look(entry, names, code, documents)
    found += Configs(documents, names, files, _finder(code, names)).findings()
    return _grouped(found)


def _look(entry: Entry, names: Names, code: dict[str, bytes], documents: dict[str, Any]) -> list[Finding]:
    name, suffix = entry.name, _suffix(entry.name)
    base = PurePosixPath(name).name.lower()
    if suffix in WEIGHTS or (suffix == "bin" and "model" in base):
        return weights_faults(entry)
    if suffix in CONFIGS | LOGGING | PAGES | {"py"} and entry.size > LIMITS.text:
        return [Finding("config", name, "", f"{entry.size} bytes", "too large to be looked at")]
    if suffix in CONFIGS:
        return _document(entry, suffix, documents)
    if suffix in LOGGING:
        return logging_faults(name, entry.read(LIMITS.text))
    if suffix == "py":
        code[name] = entry.read(LIMITS.text)
        return _code(name, code[name], names)
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


def _raw(entry: Entry) -> list[Finding]:
    """The numbers that belong to an OpenVINO network."""
    return _plain(entry, "")


def _known(name: str, suffix: str, base: str) -> bool:
    pictures = suffix in PICTURES or name.lower().endswith(".nii.gz")
    return suffix in TEXT or pictures or base in BARE


def _plain(entry: Entry, base: str) -> list[Finding]:
    head = entry.read(16)
    if head.startswith(PROGRAMS) or looks_like_pickle(head) or head.startswith(b"PK\x03\x04"):
        return [Finding("code", entry.name, "", "not what its name says", "a program, a pickle or an archive")]
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
    if PurePosixPath(name).name.lower().startswith("large_files."):
        found += _large_files(name, value)
    documents[name] = value
    return found


def _large_files(name: str, value: Any) -> list[Finding]:
    """Weights that are fetched when the bundle is: each needs a digest and a place inside the bundle."""
    found = []
    for i, one in enumerate(value.get("large_files") or [] if isinstance(value, dict) else []):
        place, given = f"large_files#{i}", one if isinstance(one, dict) else {}
        url, path = str(given.get("url", "")), str(given.get("path", ""))
        if not given.get("hash_val"):
            found.append(Finding("network", name, place, url, "fetched without a digest, so anything may come"))
        if not url.startswith("https://"):
            found.append(Finding("network", name, place, url, "fetched without encryption, or from this machine"))
        if path.startswith(("/", "~", "\\")) or ".." in re.split(r"[\\/]", path) or ":" in path:
            found.append(Finding("file", name, place, path, "it is written outside the bundle"))
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
