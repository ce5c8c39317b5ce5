"""Data sets that one bad case does not stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch.utils.data import IterableDataset

from ..errors import MonaiMtlError, own_error
from .naming import called

__all__ = ["TolerantDataset"]


class TolerantDataset(IterableDataset):
    """Yields the cases whose transform succeeds and keeps the faults of the others.

    Meant for inference in one process (``num_workers=0``), where a folder may hold a broken file.

    Args:
        data: Cases.
        transform: Applied to each.
    """

    def __init__(self, data: Sequence[dict], transform: Callable) -> None:
        super().__init__()
        self.data = data
        self.transform = transform
        self.faults: dict[str, MonaiMtlError] = {}
        """Our error by ``case_id`` of the cases left out in the last pass."""

    def __iter__(self) -> Iterator[dict]:
        self.faults = {}
        for case in self.data:
            try:
                with called(case["case_id"]):
                    prepared = self.transform(case)
            except (RuntimeError, ValueError, OSError) as error:
                fault = own_error(error)
                if fault is None:
                    raise
                self.faults[case["case_id"]] = fault
            else:
                yield prepared
