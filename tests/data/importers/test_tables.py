"""Tables of all kinds give the same rows."""

import sys

import pytest

from monai_mtl.data.importers.tables import has_columns, read_table, require_columns
from monai_mtl.errors import DataError

from .trees import write_xls, write_xlsx

ROWS = [{"name": "20586908", "note": "3.5"}, {"name": "two", "note": ""}]
GRID = [["name ", " note"], [20586908.0, 3.5], [" two", None], [None, None]]


@pytest.mark.parametrize(
    "data",
    [
        b"name,note\n20586908,3.5\ntwo,\n",
        b"\xef\xbb\xbfname ; note\r\n20586908;3.5\r\n;\r\n two\r\n",
        b'"name",note\n20586908,"3.5\n"\ntwo\n',
    ],
)
def test_csv_is_read_with_its_separator_and_without_blanks(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    assert read_table(tmp_path / "t.csv") == ROWS
    assert has_columns(tmp_path / "t.csv", ("name", "note"))
    assert not has_columns(tmp_path / "t.csv", ("name", "age"))


def test_a_table_without_header_gets_its_columns(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"20586908,3.5\ntwo,\n")
    assert read_table(tmp_path / "t.csv", ("name", "note")) == ROWS
    (tmp_path / "t.csv").write_bytes(b"a,b\nc,d,e\n")
    with pytest.raises(DataError, match="1 rows with more cells") as error:
        read_table(tmp_path / "t.csv", ("name", "note"))
    assert error.value.where == ["row 2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_csv_is_read_in_its_encoding(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("name\nMüller\n".encode(encoding))
    assert read_table(tmp_path / "t.csv") == [{"name": "Müller"}]


def test_workbooks_give_the_same_rows_as_text(tmp_path):
    write_xlsx(tmp_path / "t.xlsx", GRID)
    assert read_table(tmp_path / "t.xlsx") == ROWS
    write_xls(tmp_path / "t.xls", [["" if cell is None else cell for cell in row] for row in GRID])
    assert read_table(tmp_path / "t.xls") == ROWS


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "has no rows"),
        ("t.csv", b"name,note\n,\n", "has no rows"),
        ("t.csv", b"name,note\na,b\nc,d,e\n", "1 rows with more cells"),
        ("t.csv", "name\nMüller\n".encode("utf-16"), "no text in UTF-8 or Latin-1"),
        ("t.csv", b'name\n"' + b"x" * 140000, "is not a CSV table"),
        ("t.xlsx", b"PK no workbook", "is not an Excel workbook"),
        ("t.xls", b"no workbook", "is not an Excel workbook"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as raised:
        read_table(tmp_path / name)
    assert raised.value.fix


def test_a_missing_table_and_missing_columns_are_refused(tmp_path):
    assert not has_columns(tmp_path / "t.csv", ("name",))
    with pytest.raises(DataError, match="no table"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="lacks 2 columns") as raised:
        require_columns(ROWS, tmp_path / "t.csv", ("name", "age", "sex"))
    assert raised.value.where == ["age", "sex"]


@pytest.mark.parametrize(("suffix", "module"), [(".xlsx", "openpyxl"), (".xls", "xlrd")])
def test_without_a_reader_of_workbooks_the_error_says_what_to_install(tmp_path, monkeypatch, suffix, module):
    (tmp_path / f"t{suffix}").touch()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match="no reader of Excel") as raised:
        read_table(tmp_path / f"t{suffix}")
    assert "pip install 'monai-mtl[excel]'" in raised.value.fix
