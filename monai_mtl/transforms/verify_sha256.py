"""Refuses a file that changed since the datalist was written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from ..data.hashes import HASHED, verify_hash

__all__ = ["VerifySHA256d"]


class VerifySHA256d(Transform):
    """Compares files with their digests; place it before anything is loaded. A case without digests passes.

    Args:
        hash_keys: Key of the digest by key of the file.
    """

    def __init__(self, hash_keys: Mapping[str, str] | None = None) -> None:
        self.hash_keys = dict(HASHED if hash_keys is None else hash_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Check one case, which is not changed.

        Raises:
            ImageError: If a file differs; its kind is "hash".
        """
        for key, name in self.hash_keys.items():
            if data.get(name) is not None and data.get(key) is not None:
                verify_hash(data[key], data[name])
        return data
