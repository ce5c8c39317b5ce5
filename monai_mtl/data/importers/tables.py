"""Tables of data sets, CSV or Excel, as rows of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError

__all__ = ["has_columns", "read_table", "require_columns"]


def read_table(path: Path, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a .csv, .xlsx or .xls file; of a workbook, its first sheet.

    Header names and cells are stripped, empty rows are left out, missing cells are "". A whole number that a
    spreadsheet holds as a float comes without its ".0". CSV may be separated by comma or semicolon, and be UTF-8
    (with or without BOM) or Latin-1.

    Args:
        path: Of the table.
        columns: Names of the columns where the table has no header.

    Raises:
        DataError: If the file is missing, cannot be read, has no rows, or has cells beyond its header.
    """
    if not path.is_file():
        raise DataError(f"no table {path}", fix="put it there as the owners of the data ship it")
    grid = _excel(path) if path.suffix.lower() in (".xlsx", ".xls") else _csv(path)
    grid = [[_text(cell) for cell in row] for row in grid]
    numbered = [(0, list(columns))] if columns else []
    numbered += [(number, row) for number, row in enumerate(grid, 1) if any(row)]
    if len(numbered) < 2:
        expected = "one row a case" if columns else "a header and one row a case"
        raise DataError(f"{path} has no rows", expected=expected, fix="copy the file again")
    header, rows = numbered[0][1], numbered[1:]
    # A comma inside an unquoted cell would shift every cell after it.
    long = [f"row {number}" for number, row in rows if any(row[len(header) :])]
    if long:
        raise DataError(f"{path} has {len(long)} rows with more cells than its header", long, fix="correct the rows")
    return [dict(zip(header, row + [""] * len(header), strict=False)) for _, row in rows]


def require_columns(rows: list[dict[str, str]], path: Path, names: Iterable[str]) -> None:
    """Refuse a table that lacks columns.

    Raises:
        DataError: If a name is no column; the error lists the columns found.
    """
    missing = [name for name in names if name not in rows[0]]
    if missing:
        raise DataError(
            f"{path} lacks {len(missing)} columns",
            missing,
            expected=f"among the columns found: {', '.join(rows[0])}",
            fix="use the table as the owners of the data ship it",
        )


def has_columns(path: Path, names: Iterable[str]) -> bool:
    """Whether a CSV file exists and its first line names these columns."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.readline().decode("utf-8-sig", errors="replace")
    return set(names) <= {cell.strip() for row in csv.reader([line], delimiter=_delimiter(line)) for cell in row}


def _delimiter(header: str) -> str:
    return ";" if header.count(";") > header.count(",") else ","


def _csv(path: Path) -> list[list[Any]]:
    data = path.read_bytes()
    if b"\0" in data:
        raise DataError(f"{path} is no text in UTF-8 or Latin-1", fix="save the table as CSV UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    header = text.lstrip().split("\n", 1)[0]
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(header)))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV table: {error}", fix="look for a quote that is never closed") from error


def _excel(path: Path) -> list[Any]:
    try:
        if path.suffix.lower() == ".xls":
            import xlrd

            return list(xlrd.open_workbook(path).sheet_by_index(0).get_rows())
        import openpyxl

        return list(openpyxl.load_workbook(path, data_only=True).worksheets[0].iter_rows(values_only=True))
    except ImportError as error:
        fix = "pip install 'monai-mtl[excel]', or save the table as CSV"
        raise DataError(f"no reader of Excel files is installed, for {path}", fix=fix) from error
    except Exception as error:  # a damaged workbook raises whatever the parser stumbles over
        fix = "copy the file again, or save the table as CSV"
        raise DataError(f"{path} is not an Excel workbook: {error}", fix=fix) from error


def _text(cell: Any) -> str:
    value = getattr(cell, "value", cell)  # xlrd gives cells, the others values
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
