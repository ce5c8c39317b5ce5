"""The form of an error: what, where, expected, fix."""

from __future__ import annotations

import pytest

from monai_mtl.errors import DataError, MissingError, RunError, own_error


def test_an_error_tells_what_where_and_how_to_fix():
    error = DataError("12 of 20 cases have no mask", [f"case{i}" for i in range(12)], "a PNG", "add the masks")
    lines = str(error).splitlines()
    assert lines[0] == "12 of 20 cases have no mask"
    assert lines[1:11] == [f"  case{i}" for i in range(10)]
    assert lines[11:] == ["  ... and 2 more", "  expected: a PNG", "  fix: add the masks"]


def test_errors_are_of_the_usual_kinds_and_know_their_exit_code():
    assert isinstance(DataError("x"), ValueError)
    assert isinstance(MissingError("x"), FileNotFoundError)
    assert str(MissingError("no folder x", fix="make it")) == "no folder x\n  fix: make it"
    assert (DataError.exit_code, RunError.exit_code) == (2, 1)


def test_the_own_error_behind_a_foreign_one_is_found():
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError("applying transform") from DataError("inner")
    assert str(own_error(raised.value)) == "inner"
    assert own_error(RuntimeError("foreign")) is None
