"""Headers of arrays, with NumPy itself as the oracle."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from monai_mtl.bundle.audit.arrays import array_faults

TYPES = [
    *("?", "b", "u2", "<i8", ">f4", "f2", "g", "c16", "S5", "U7", "V3", "M8[ns]", "m8[25us]", "M8"),
    *([("a", "f4"), ("b", "i2", (2, 3))], [("a", [("b", "u1"), ("c", "U2", (2,))])], [(("title", "name"), "f8")]),
]
OBJECTS = [
    *("O", [("a", "O")], [("a", "f4"), ("b", "O", (2,))], [("a", [("b", "u1"), ("c", [("d", "O")])])]),
    [(("title", "name"), "O")],
]


def written(dtype: object, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions that old programs do not read
        np.lib.format.write_array(file, np.zeros(1, dtype=dtype), version=version)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_arrays_that_load_without_a_pickle_have_no_findings(dtype, version):
    content = written(dtype, version)
    np.load(io.BytesIO(content), allow_pickle=False)
    assert array_faults("x.npy", content) == []


@pytest.mark.parametrize("dtype", OBJECTS, ids=str)
def test_those_that_do_not_have_one(dtype):
    content = written(dtype)
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(io.BytesIO(content), allow_pickle=False)
    (found,) = array_faults("x.npy", content)
    assert (found.kind, "an array of objects" in found.what) == ("pickle", True)


def header(descr: str) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        *(header(descr) for descr in ("'object'", "'O8'", "'f4,O'", "'|O'", "('O', (2,))", "[('a', '=O')]", "object")),
        *(header(descr) for descr in ("None", "{'names': ['a'], 'formats': ['O']}", "(" * 3000, "'f4' 'O'")),
        *(written("f4")[:length] for length in (6, 9, 40)),
        b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 0xFFFF,
        b"\x93NUMPY\x02\x00" + (1 << 20).to_bytes(4, "little") + b" " * (1 << 16),
    ],
    ids=str,
)
def test_what_is_written_another_way_or_cannot_be_read_is_refused(content):
    assert [one.kind for one in array_faults("x.npy", content)] == ["pickle"]
