"""Prepared cases kept on disk: found by the content of their files and the transforms, whole or made anew."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from monai.config import PathLike
from monai.data import MetaTensor

from .. import __version__
from ..errors import RunError
from .describe import digest_of
from .hashes import file_sha256

__all__ = ["DiskCache"]

logger = logging.getLogger("monai_mtl")

DIGEST_BYTES = hashlib.sha256().digest_size
ARRAY, META = "numpy array", "meta tensor"


class DiskCache:
    """Answers of a function of one case, kept in files.

    An entry is found by what decides it: the content of the files that the case names, its other fields, the
    function, and the versions of MONAI and of this package. So a changed image, mask, transform or version
    never meets an old answer. Each entry begins with the digest of the rest: a damaged one is made anew, with
    a notice. Entries are written whole or not at all, so several processes may share a folder. Metadata and
    applied operations of a ``MetaTensor`` come back as they were.

    Args:
        folder: Where entries lie; made when the first one is written. It holds the pixels of the images, and
            may be removed at any time.
        compute: From a case to what its network would see, without chance.
    """

    def __init__(self, folder: PathLike, compute: Callable[[Mapping[str, Any]], Any]) -> None:
        self.folder, self.compute = Path(folder), compute
        self._function = digest_of([compute, monai.__version__, __version__])

    def path(self, case: Mapping[str, Any]) -> Path:
        """File of the entry of a case.

        Args:
            case: As in a datalist.
        """
        content = {key: _content(value) for key, value in case.items()}
        return self.folder / f"{digest_of([self._function, content])}.pt"

    def __call__(self, case: Mapping[str, Any]) -> Any:
        """The answer for a case, from its entry or computed now.

        Args:
            case: As in a datalist.

        Raises:
            RunError: If the entry cannot be written.
        """
        path = self.path(case)
        if path.is_file():
            try:
                return _read(path)
            except (ValueError, OSError, RuntimeError) as error:
                logger.warning("cache: the entry of %s is made anew (%s)", case.get("case_id", path.name), error)
        value = self.compute(case)
        try:
            _write(path, value)
        except OSError as error:
            fix = 'free some space, name another folder, or --cache "memory"'
            raise RunError(f"cannot write the cache in {self.folder}: {error.strerror}", fix=fix) from error
        return value


def _content(value: Any) -> Any:
    """A file by its name and the digest of its bytes, a list of files by those of each, anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_content(one) for one in value]
    if isinstance(value, (str, Path)) and len(str(value)) < 4096 and Path(value).is_file():
        facts = Path(value).stat()
        return [str(value), _file_digest(str(value), facts.st_size, facts.st_mtime_ns)]
    return value


@lru_cache(maxsize=100_000)
def _file_digest(path: str, size: int, modified: int) -> str:
    return file_sha256(path)


def _read(path: Path) -> Any:
    stored = path.read_bytes()
    digest, content = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("damaged")
    return _unpack(torch.load(io.BytesIO(content), weights_only=True))


def _write(path: Path, value: Any) -> None:
    buffer = io.BytesIO()
    torch.save(_pack(value), buffer)
    content = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _pack(value: Any) -> Any:
    """Tensors, numbers, texts and containers of them, which load without running code."""
    if isinstance(value, MetaTensor):
        parts = [value.as_tensor().clone(), dict(value.meta), list(value.applied_operations)]
        return {META: [_pack(part) for part in parts]}
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "biuf":
        return {ARRAY: torch.from_numpy(np.array(value)), "scalar": isinstance(value, np.generic)}
    if isinstance(value, Mapping):
        return {(key.value if isinstance(key, Enum) else key): _pack(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_pack(item) for item in value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (np.str_, Path)):
        return str(value)
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, Mapping):
        if ARRAY in value:
            array = value[ARRAY].numpy()
            return array[()] if value["scalar"] else array
        if META in value:
            tensor, meta, operations = (_unpack(part) for part in value[META])
            return MetaTensor(tensor, meta=meta, applied_operations=operations)
        return {key: _unpack(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_unpack(item) for item in value)
    return value
