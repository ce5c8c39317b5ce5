"""D1-D24, read in this process; limits of time and memory are the business of :mod:`tests.faults.test_faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .case import Fault, complaints
from .dicom import CASES


def test_every_case_is_there_once():
    assert [fault.id for fault in CASES] == [f"D{i}" for i in range(1, 25)]


@pytest.mark.parametrize("fault", CASES, ids=[fault.id for fault in CASES])
def test_outcome_is_the_wanted_one(fault: Fault, tmp_path: Path):
    assert complaints(fault, tmp_path) == []
