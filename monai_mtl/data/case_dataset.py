"""The data set of a training: prepared once, and random in a way that repeats."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.config import PathLike
from monai.data import CacheDataset, Dataset
from monai.transforms import Compose, RandomizableTrait, Transform, convert_to_contiguous

from ..errors import ConfigError, DataError
from .disk_cache import DiskCache
from .naming import called

__all__ = ["CACHES", "CaseDataset", "derived_seed"]

CACHES = ("memory", "disk", "none")


def derived_seed(*parts: int) -> int:
    """A seed of 32 bits from several numbers, such as the run's seed, the epoch and the case.

    Args:
        parts: Numbers; another order or another number gives an unrelated seed.
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "little")


class CaseDataset(Dataset):
    """MONAI's ``CacheDataset`` or its like on disk, whose random transforms depend on seed, epoch and case alone.

    MONAI seeds transforms by worker, so that other numbers of workers, or a resumed run, give other results.
    Here each case is seeded when it is asked for. Transforms up to the first random one run once and are
    kept; those after it run each time. Whatever the cache, the cases are the same bit by bit.

    Args:
        data: Cases, as :func:`monai_mtl.data.load_datalist` gives them.
        transform: All transforms.
        cache: ``"memory"``, for sets that fit; ``"disk"``, see :class:`DiskCache`; ``"none"``.
        cache_dir: Folder for ``"disk"``.
        seed: Of the run.
        num_workers: Threads that fill the memory.
        passes: For each pass that an epoch makes over the cases, the transforms that follow ``transform`` in it; the
            cases of the first pass come first. Without any an epoch is one pass.

    Raises:
        ConfigError: If ``cache`` is unknown, or ``"disk"`` has no folder.
        DataError: If there are no cases.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Callable,
        cache: str = "memory",
        cache_dir: PathLike | None = None,
        seed: int = 0,
        num_workers: int = 2,
        passes: Sequence[Callable] = (),
    ) -> None:
        if cache not in CACHES:
            raise ConfigError(f"unknown cache '{cache}'", expected=", ".join(CACHES), fix='--cache "memory"')
        if cache == "disk" and cache_dir is None:
            raise ConfigError('cache "disk" needs a folder', fix="--cache_dir PATH")
        if not data:
            fix = "in MONAI Label: save masks first, and let val_split leave some to train and some to validate"
            raise DataError("there are no cases", expected="at least one", fix=fix)
        transform = transform if isinstance(transform, Compose) else Compose(transform)
        super().__init__(data, transform)
        self.seed = seed
        # Shared, so that workers which live longer than an epoch see the next one begin.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._passes = [steps if isinstance(steps, Compose) else Compose(steps) for steps in passes]
        self._cases: Dataset
        if cache == "memory":
            self._cases = _InMemory(data, transform, num_workers=num_workers, progress=True)
        else:
            self._cases = _InTwoParts(data, transform, cache_dir if cache == "disk" else None)

    def set_epoch(self, epoch: int) -> None:
        """Tell the epoch, from 1; other epochs draw other random numbers."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.data) * max(1, len(self._passes))

    def _transform(self, index: int) -> Any:
        seed = derived_seed(self.seed, int(self._epoch), index)
        self.transform.set_random_state(seed=seed)
        case = self._cases[index % len(self.data)]
        if not self._passes:
            return case
        steps = self._passes[index // len(self.data)]
        steps.set_random_state(seed=derived_seed(seed))
        return steps(copy.deepcopy(case))  # transforms write into meta data, and this may be the cached case


def _name(case: Any) -> str | None:
    return case.get("case_id") if isinstance(case, Mapping) else None


class _InMemory(CacheDataset):
    """Tells of a file by the name of its case."""

    def _load_cache_item(self, idx: int) -> Any:
        with called(_name(self.data[idx])):
            return super()._load_cache_item(idx)


class _InTwoParts(Dataset):
    """Runs the transforms before the first random one apart, through a :class:`DiskCache` if there is a folder."""

    def __init__(self, data: Sequence[Any], transform: Compose, cache_dir: PathLike | None = None) -> None:
        super().__init__(data, transform)
        steps = transform.flatten().transforms
        random = (isinstance(step, RandomizableTrait) or not isinstance(step, Transform) for step in steps)
        first = next((i for i, found in enumerate(random) if found), len(steps))
        before = Compose(steps[:first])
        self._before: Callable = before if cache_dir is None else DiskCache(cache_dir, before)
        self._after = Compose(steps[first:])

    def _transform(self, index: int) -> Any:
        case: Mapping[str, Any] = self.data[index]
        # As MONAI keeps them in memory: what interpolates rounds otherwise where values lie otherwise.
        with called(_name(case)):
            before = self._before(case)
        return self._after(convert_to_contiguous(before, memory_format=torch.contiguous_format))
