"""The manifest of a packed bundle: a digest of every file, so that a changed config or code file is refused.

``MANIFEST.sha256`` has the form of ``sha256sum``, which checks it too. Weights may change, since a bundle is there to
be trained further; configs, code and documents may not. Imports neither torch nor MONAI.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, MissingError

__all__ = ["MANIFEST", "SIGNATURE", "Changes", "check_manifest", "compare_manifest", "write_manifest"]

MANIFEST = "MANIFEST.sha256"
SIGNATURE = f"{MANIFEST}.sig"
WEIGHTS = re.compile(r"models/.*\.(pt|ts|safetensors|onnx|xml|bin|json)")
WRITTEN = re.compile(r"(models|eval|predictions|cache|mlruns|\.git)/.*")
"""What runs of a bundle write; nothing of it is a config or code."""
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)", re.DOTALL)
CONFIG_OR_CODE = re.compile(
    r"(configs|scripts)/.*|[^/]*\.(json|ya?ml|conf|cfg|ini)|.*\.(py[cdw]?|so)", re.DOTALL | re.IGNORECASE
)
CACHED = re.compile(r"(.*/)?__pycache__/[^/.]+\.[^/]+\.pyc", re.DOTALL)
"""What Python writes beside sources, and :mod:`.packed_code` does not read. Any other ``.pyc`` is a module itself."""


@dataclass(frozen=True)
class Changes:
    """How a folder differs from its manifest; paths inside the folder.

    Args:
        changed: Files with another content.
        missing: Files that are gone.
        added: Configs, code and links beside the folders that the manifest does not name.
        retrained: Weights with another content.
    """

    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    retrained: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[str]:
        """What a run must not begin with, in words."""
        named = (("changed", self.changed), ("missing", self.missing), ("added", self.added))
        return [f"{word}: {path}" for word, paths in named for path in paths]


def write_manifest(folder: str | Path) -> Path:
    """Write the digests of all files of a folder.

    Args:
        folder: Of a packed bundle.

    Returns:
        The manifest.

    Raises:
        ConfigError: If a file is a link, or its name holds a backslash, a line break or what else cannot be printed.
    """
    root = Path(folder)
    names = sorted(_files(root))
    wrong = [ascii(name) for name in names if not name.isprintable() or "\\" in name or (root / name).is_symlink()]
    if wrong:
        raise ConfigError("a manifest cannot hold links or such names", wrong, fix="copy or rename the files")
    lines = [f"{_digest(root / name)}  {name}\n" for name in names]
    (root / MANIFEST).write_bytes("".join(lines).encode())
    return root / MANIFEST


def compare_manifest(folder: str | Path) -> Changes:
    """How a folder differs from its manifest.

    Args:
        folder: Of a packed bundle.

    Raises:
        MissingError: If it has no manifest.
        ConfigError: If the manifest cannot be read.
    """
    root = Path(folder)
    wanted, there = _read(root), set(_files(root))
    changes = Changes(added=[name for name in sorted(there - set(wanted)) if _runs(root, name)])
    for name, digest in wanted.items():
        weights = WEIGHTS.fullmatch(name) is not None
        if name not in there:
            (changes.retrained if weights else changes.missing).append(name)
        elif _digest(root / name) != digest:
            (changes.retrained if weights else changes.changed).append(name)
    return changes


def check_manifest(folder: str | Path) -> list[str]:
    """Refuse a packed bundle whose configs or code are not those that were packed.

    Args:
        folder: Of any bundle; one without a manifest passes.

    Returns:
        Weights that have changed.

    Raises:
        ConfigError: Naming the files.
    """
    if not (Path(folder) / MANIFEST).is_file():
        return []
    changes = compare_manifest(folder)
    if changes.refused:
        raise ConfigError(
            f"{folder} is not what its {MANIFEST} says",
            changes.refused,
            fix=f"take the bundle again from where it came; if the change is yours, delete {MANIFEST}",
        )
    return changes.retrained


def _read(root: Path) -> dict[str, str]:
    path = root / MANIFEST
    if not path.is_file():
        raise MissingError(f"{root} has no {MANIFEST}", fix="pack the bundle: python -m monai_mtl pack")
    try:
        # as sha256sum does; splitlines and text files end lines at what may stand in names
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text", fix="take the bundle again from where it came") from error
    found = [LINE.fullmatch(line) for line in lines]
    broken = [line for line, match in zip(lines, found, strict=True) if match is None]
    outside = [m[2] for m in found if m and (m[2].startswith("/") or ".." in m[2].split("/"))]
    if broken or outside or len({m[2] for m in found if m}) < len(lines):
        raise ConfigError(f"{path} cannot be read", [*broken, *outside], fix="take the bundle again")
    return {match[2]: match[1] for match in found if match}


def _files(root: Path) -> Iterable[str]:
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        kept = WEIGHTS.fullmatch(name) or CONFIG_OR_CODE.fullmatch(name) or not WRITTEN.fullmatch(name)
        kept = kept and name not in (MANIFEST, SIGNATURE) and not CACHED.fullmatch(name)
        if kept and (path.is_file() or path.is_symlink()):
            yield name


def _runs(root: Path, name: str) -> bool:
    """Whether an added file is a config or code, or a link beside the folders: a name that Python may import from."""
    linked = (root / name).is_symlink() and "/" not in name and WRITTEN.fullmatch(f"{name}/") is None
    return linked or CONFIG_OR_CODE.fullmatch(name) is not None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
