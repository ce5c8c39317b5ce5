"""Digests of image and mask files, by which a datalist knows its content again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ..errors import ImageError, MissingError
from ..outputs.result_json import write_json
from .masks import mask_files

__all__ = ["HASHED", "add_hashes", "cases_sha256", "file_sha256", "verify_hash", "write_datalist"]

HASHED = {"image": "sha256_image", "label_seg": "sha256_label_seg"}
"""Key of the digest by key of the file."""


def file_sha256(path: PathLike) -> str:
    """Digest of a file's bytes, hexadecimal.

    Raises:
        MissingError: If there is no such file.
        ImageError: If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError as error:
        raise MissingError(f"no such file: {path}", fix="correct the path") from error
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}", fix="give a file that can be read") from error
    return digest.hexdigest()


def verify_hash(source: Any, expected: str | Sequence[str]) -> None:
    """Refuse files whose content is not what the datalist says.

    Args:
        source: A path, or a list of paths.
        expected: Digest, or one for each path.

    Raises:
        MissingError: If a file is missing.
        ImageError: At the first file that differs; its kind is "hash".
    """
    paths, digests = mask_files(source), [expected] if isinstance(expected, str) else list(expected)
    if len(paths) != len(digests):
        raise ImageError(
            f"{len(paths)} files and {len(digests)} digests", paths, fix="write the hashes again", kind="hash"
        )
    for path, digest in zip(paths, digests, strict=True):
        if file_sha256(path) != digest.lower():
            raise ImageError(
                f"{path} is not the file that the datalist was written for",
                expected=f"sha256 {digest}",
                fix="copy the file again, or write the hashes again if the change is meant",
                kind="hash",
            )


def add_hashes(sections: Mapping[str, Sequence[dict]]) -> dict[str, list[dict]]:
    """The cases with ``sha256_image`` and, where the mask is files, ``sha256_label_seg``.

    Args:
        sections: Cases by section with absolute paths; not changed.

    Raises:
        MissingError: If a file is missing.
    """
    with ThreadPoolExecutor() as pool:
        return {name: list(pool.map(_with_hashes, cases)) for name, cases in sections.items()}


def cases_sha256(cases: Sequence[Mapping[str, Any]]) -> str:
    """Digest of the names, labels and files of cases; the same in whatever folder and order they lie.

    Args:
        cases: With absolute paths, as a datalist names them.

    Raises:
        MissingError: If a file is missing.
    """
    known = add_hashes({"": [dict(case) for case in cases]})[""]
    told = [{key: value for key, value in case.items() if HASHED.get(key) not in case} for case in known]
    lines = sorted(json.dumps(case, sort_keys=True, default=str) for case in told)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_datalist(sections: Mapping[str, Sequence[dict]], dataset_dir: PathLike, path: PathLike) -> None:
    """Write a ``dataset.json`` with digests; in the data folder it fixes labels, split and content.

    Args:
        sections: Cases by section with absolute paths.
        dataset_dir: Folder that the paths become relative to, where they lie in it.
        path: File to write.

    Raises:
        MissingError: If a file of a case is missing.
    """
    root = Path(dataset_dir).expanduser().resolve()
    content = {name: [_relative(case, root) for case in cases] for name, cases in add_hashes(sections).items()}
    write_json(path, content)


def _relative(case: dict, root: Path) -> dict:
    def short(value: Any) -> Any:
        """A path below the root, relative to it; anything else as it is."""
        if isinstance(value, list):
            return [short(item) for item in value]
        inside = isinstance(value, str) and Path(value).is_relative_to(root)
        return Path(value).relative_to(root).as_posix() if inside else value

    return case | {key: short(case[key]) for key in HASHED if key in case}


def _with_hashes(case: dict) -> dict:
    found: dict[str, str | list[str]] = {}
    for key, name in HASHED.items():
        source = case.get(key)
        if isinstance(source, str):
            found[name] = file_sha256(source)
        elif isinstance(source, list):
            found[name] = [file_sha256(path) for path in source]
    return case | found
