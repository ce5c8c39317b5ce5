"""INbreast Release 1.0: ``AllDICOMs/``, ``AllXML/`` and the table ``INbreast.csv`` (or .xls, .xlsx).

Moreira et al., INbreast: toward a full-field digital mammographic database, Academic Radiology 19 (2012).
"""

from __future__ import annotations

import logging
import re
import zlib
from pathlib import Path

from ...errors import DataError
from .osirix import read_outlines
from .shared import choose, find, image_files, leave_out, refuse_faults, refuse_mismatch, refuse_twins, training_only
from .tables import read_table, require_columns

__all__ = ["LAYOUT", "matches", "read"]

logger = logging.getLogger("monai_mtl")

LAYOUT = "AllDICOMs/, AllXML/ and INbreast.csv or .xls (INbreast)"
NAME = re.compile(r"(?P<id>\d+)_(?P<patient>[^_]+)_MG_(?P<side>[LR])_(?P<view>[A-Z]+)_ANON")
SPICULATED = ("spiculated region", "espiculated region")

# Of each of the 410 image ids in ascending order: v validation, T test, . training. A statement of fact, from the
# lists that are public in the repository of HDS (Zhang et al. 2018); AUTHORS_IDS is the CRC-32 of the ids.
AUTHORS = (
    "v..Tv..T.v..T.v..T..vv....T.vT..v..T.v.T...Tv..v...T.v..TT..vv...T.v.T.v..T..v...TT.v..T..vv...T..Tv.."
    ".vT...vT..v.T...vT..v..T.v...T.Tv.v..T.v..T.v....T.v.T.v..T.v..T.v..T..Tv..T..vv...T..v..T.v.T..T.vv.."
    "..TT.v..T.v..T.v..T.v..T..v.v..T.v..T.v..T..Tv..T.v..T.v..v.T.v..T.v..T.v..T.v....T.v..T.v..T.v..T.v.."
    "T.v..T.T.v..T.vv..T..T..vv..T.v..T.v..T.v....T.v..T.v.T..T.v..T.v..T.v.v..T.v..T.v..T..T.vv..T.v..T..T.."
)
AUTHORS_IDS = 0x8B51D5CB


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    return (folder / "AllDICOMs").is_dir()


def read(
    folder: Path, *, label: str = "has_mass", spiculated: bool = False, split: str = "patient"
) -> dict[str, list[dict]]:
    """Cases by section. The mask is the union of the masses; no XML file means that nothing was found.

    Args:
        folder: The data set.
        label: ``label_cls`` 1 means a mass (``"has_mass"``) or BI-RADS 4 and above (``"birads"``).
        spiculated: Whether a spiculated region counts as a mass.
        split: ``"patient"`` leaves all cases in training; ``"authors"`` is the split by image of HDS, which leaks.

    Raises:
        DataError: If files, rows or columns are missing, disagree, or cannot be read.
    """
    choose("label", label, ("has_mass", "birads"))
    choose("split", split, ("patient", "authors"))
    images = _images(folder / "AllDICOMs")
    rows = _rows(find(folder, "INbreast.csv", "INbreast.xls", "INbreast.xlsx") or folder / "INbreast.csv", images)
    masses = read_outlines(folder / "AllXML", images, ("mass", *SPICULATED) if spiculated else ("mass",))
    cases = []
    for name, (path, token) in images.items():
        case: dict = {"image": f"AllDICOMs/{path.name}", "case_id": name, "patient_id": token["patient"]}
        case |= {"laterality": token["side"], "view": {"ML": "MLO"}.get(token["view"], token["view"])}
        outlines, birads, density = masses.get(name), rows[name]["Bi-Rads"][:1], rows[name]["ACR"]  # 4a to 4c are 4
        case["label_seg"] = {"polygons": outlines} if outlines else []
        case |= {key: int(text) for key, text in (("birads", birads), ("density", density)) if text.isdecimal()}
        if label == "has_mass" or birads.isdecimal():
            case["label_cls"] = int(bool(outlines) if label == "has_mass" else int(birads) >= 4)
        cases.append(case)
    return training_only(cases) if split == "patient" else _authors(cases)


def _images(folder: Path) -> dict[str, tuple[Path, dict[str, str]]]:
    """Path and tokens of the file name by image id, ascending."""
    found = [(path, NAME.fullmatch(stem)) for stem, path in image_files(folder, (".dcm",)).items()]
    expected = "<image id>_<patient>_MG_<L or R>_<CC or ML>_ANON.dcm"
    refuse_faults("file names not understood", [p.name for p, m in found if m is None], expected, "restore the names")
    refuse_twins([m["id"] for _, m in found if m], "AllDICOMs/")
    return dict(sorted((m["id"], (path, m.groupdict())) for path, m in found if m))


def _rows(table: Path, images: dict) -> dict[str, dict[str, str]]:
    rows = read_table(table)
    require_columns(rows, table, ("File Name", "ACR", "Bi-Rads"))
    named = {row["File Name"]: row for row in rows if row["File Name"].isdecimal()}
    stray = [" ".join(row.values()).strip()[:40] for row in rows if not row["File Name"].isdecimal()]
    leave_out(stray, len(rows), f"rows of {table.name} that name no image")
    refuse_mismatch([name for row in rows if (name := row["File Name"]) in named], images, table, "AllDICOMs/")
    return named


def _authors(cases: list[dict]) -> dict[str, list[dict]]:
    if zlib.crc32(",".join(case["case_id"] for case in cases).encode()) != AUTHORS_IDS:
        raise DataError(
            f"the authors' split is for the {len(AUTHORS)} images of INbreast, here are {len(cases)}",
            expected="the whole data set and nothing else",
            fix="complete the set, or take split='patient'",
        )
    logger.warning("the authors split by image: 82 of 82 test images share an exam with a training image")
    names = {"training": ".", "validation": "v", "test": "T"}
    return {name: [c for c, s in zip(cases, AUTHORS, strict=True) if s == sign] for name, sign in names.items()}
