"""Every case of the table comes out as wanted; docs/reference/faults.md is its published form."""

from __future__ import annotations

from pathlib import Path

import pytest

from .case import Fault
from .cases import CASES
from .special import Special, judge

ENTRIES = [entry for entries in CASES.values() for entry in entries]


def test_the_table_has_all_53_cases():
    counts = {"D": 24, "P": 17, "N": 9}
    wanted = [f"{letter}{i}" for letter, count in counts.items() for i in range(1, count + 1)]
    assert list(CASES) == [*wanted, "T11", "T12", "T13"]
    assert len(CASES) == 53


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{e.id}: {e.what}" for e in ENTRIES])
def test_outcome_is_the_wanted_one(entry: Fault | Special, tmp_path: Path):
    assert judge(entry, tmp_path) == []
