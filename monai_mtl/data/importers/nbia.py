"""Where the series of a download from The Cancer Imaging Archive lie."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .tables import read_table, require_columns

__all__ = ["read_places", "series_files"]


def read_places(folder: Path) -> dict[str, PurePosixPath]:
    """Folder, relative to ``folder``, by series UID, from each metadata.csv here or one level below.

    The archive's tool renames folders by date and description and writes this table beside them.

    Raises:
        DataError: If such a table lacks columns.
    """
    places: dict[str, PurePosixPath] = {}
    for table in sorted([*folder.glob("metadata.csv"), *folder.glob("*/metadata.csv")]):
        rows = read_table(table)
        require_columns(rows, table, ("Series UID", "File Location"))
        above = PurePosixPath(table.parent.relative_to(folder).as_posix())
        places |= {row["Series UID"]: above / row["File Location"].replace("\\", "/") for row in rows}
    return places


def series_files(folder: Path, places: dict[str, PurePosixPath], path: str) -> list[str]:
    """DICOM files of one series, relative to ``folder``.

    Args:
        folder: The data set.
        places: From :func:`read_places`.
        path: As the tables write it, ``<case>/<study UID>/<series UID>/000000.dcm``. The name of the file is not
            reliable, the series is.

    Returns:
        The files in order, or ``path`` itself where the series is not on disk.
    """
    written = PurePosixPath(path).parent
    for place in (places.get(written.name, written), written, PurePosixPath("CBIS-DDSM") / written):
        if files := sorted((folder / place).glob("*.dcm")):
            return [(place / file.name).as_posix() for file in files]
    return [path]
