"""INbreast as shipped."""

import zlib

import numpy as np
import pytest

from monai_mtl.data.importers import inbreast
from monai_mtl.errors import ConfigError, DataError

from .trees import region, write_csv, write_dicom, write_regions, write_xls

HEADER = "Patient ID,Patient age,Laterality,View,Acquisition date,File Name,ACR,Bi-Rads"
ROWS = (
    "removed,removed,R,CC,201001,22678622,4,1",
    "removed,removed,L,MLO,201001,22678646, ,4a",
    "removed,removed,R,FB,201001,50994300,2,",
)
FILES = ("22678622_aaaa_MG_R_CC_ANON.dcm", "22678646_aaaa_MG_L_ML_ANON.dcm", "50994300_bbbb_MG_R_FB_ANON.dcm")
CALCIFICATION, MASS = region("Calcification", "(1, 2)"), region(" mass", "(1.5, 2)", "(3, 2.5)", "(3, 7)")
OUTLINE = [[1.5, 2.0], [3.0, 2.5], [3.0, 7.0]]


def tree(folder):
    """Three images: one without XML, one with a mass, a spiculated region and dots, one with dots only."""
    for name in FILES:
        write_dicom(folder / "AllDICOMs" / name, np.zeros((8, 6), np.uint16))
    spiculated = region("Espiculated Region", "(0, 0)", "(2, 0)")
    write_regions(folder / "AllXML" / "22678646.xml", MASS, CALCIFICATION, spiculated)
    write_regions(folder / "AllXML" / "50994300.xml", CALCIFICATION)
    write_csv(folder / "INbreast.csv", HEADER, *ROWS, delimiter=";")
    return folder


def expected(seg, labels):
    cases = [
        {"laterality": "R", "view": "CC", "density": 4, "birads": 1, "patient_id": "aaaa"},
        {"laterality": "L", "view": "MLO", "birads": 4, "patient_id": "aaaa"},
        {"laterality": "R", "view": "FB", "density": 2, "patient_id": "bbbb"},
    ]
    for case, file, mask, label in zip(cases, FILES, ([], {"polygons": seg}, []), labels, strict=True):
        case |= {"image": f"AllDICOMs/{file}", "case_id": file[:8], "label_seg": mask}
        case |= {} if label is None else {"label_cls": label}
    return {"training": cases, "validation": [], "test": []}


@pytest.mark.parametrize(
    ("options", "seg", "labels"),
    [
        ({}, [OUTLINE], (0, 1, 0)),
        ({"spiculated": True}, [OUTLINE, [[0.0, 0.0], [2.0, 0.0]]], (0, 1, 0)),
        ({"label": "birads"}, [OUTLINE], (0, 1, None)),
    ],
)
def test_the_set_is_read_as_shipped(tmp_path, options, seg, labels):
    assert inbreast.read(tree(tmp_path), **options) == expected(seg, labels)


def test_a_workbook_with_stray_rows_is_read_and_they_are_told(tmp_path, caplog):
    (tree(tmp_path) / "INbreast.csv").unlink()
    grid = [line.split(",") for line in (HEADER, *ROWS)]
    grid = [[float(cell) if cell.isdecimal() else cell for cell in row] for row in grid]
    write_xls(tmp_path / "INbreast.xls", [*grid, ["total", "", "", "", "", "", "", 3.0], ["", "", "", "", "", "mean"]])
    assert inbreast.read(tmp_path) == expected([OUTLINE], (0, 1, 0))
    assert "2 of 5 left out, rows of INbreast.xls that name no image: total" in caplog.text


def test_the_split_of_the_authors_is_theirs(tmp_path, monkeypatch, caplog):
    names = [file[:8] for file in FILES]
    assert (len(inbreast.AUTHORS), *map(inbreast.AUTHORS.count, ".vT")) == (410, 246, 82, 82)
    with pytest.raises(DataError, match="for the 410 images of INbreast, here are 3"):
        inbreast.read(tree(tmp_path), split="authors")
    monkeypatch.setattr(inbreast, "AUTHORS", "Tv.")
    monkeypatch.setattr(inbreast, "AUTHORS_IDS", zlib.crc32(",".join(names).encode()))
    sections = inbreast.read(tmp_path, split="authors")
    assert {part: [case["case_id"] for case in cases] for part, cases in sections.items()} == {
        "training": names[2:],
        "validation": names[1:2],
        "test": names[:1],
    }
    assert "82 of 82 test images share an exam with a training image" in caplog.text


def miscount(folder):
    write_regions(folder / "AllXML" / "22678646.xml", MASS | {"NumberOfPoints": 4})
    write_regions(folder / "AllXML" / "50994300.xml", MASS | {"Point_px": ["(1, 2, 3)"]})


FAULTS = [
    (lambda f: (f / "INbreast.csv").unlink(), "no table"),
    (lambda f: write_csv(f / "INbreast.csv", "File Name,ACR", "22678622,1"), "lacks 1 columns"),
    (lambda f: write_csv(f / "INbreast.csv", HEADER, *ROWS[:1], *ROWS[:1]), "same name: 1 place"),
    (lambda f: write_csv(f / "INbreast.csv", HEADER, *ROWS[1:]), "disagree: 1 place"),
    (lambda f: (f / "AllDICOMs" / FILES[0]).unlink(), "disagree: 1 place"),
    (lambda f: (f / "AllDICOMs" / FILES[0]).rename(f / "AllDICOMs" / "1.dcm"), "not understood: 1 place"),
    (lambda f: (f / "AllDICOMs" / FILES[0]).rename(f / "AllDICOMs" / f"{FILES[1][:8]}_c{FILES[0][9:]}"), "same name"),
    (lambda f: [p.unlink() for p in (f / "AllXML").iterdir()], "no files in"),
    (lambda f: (f / "AllXML" / "50994300.xml").write_text("<plist"), "cannot be used: 1 place"),
    (lambda f: write_regions(f / "AllXML" / "1.xml", MASS), "cannot be used: 1 place"),
    (miscount, "cannot be used: 2 places"),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS)
def test_a_fault_of_the_set_is_named(tmp_path, spoil, message):
    spoil(tree(tmp_path))
    with pytest.raises(DataError, match=message) as raised:
        inbreast.read(tmp_path)
    assert raised.value.fix


@pytest.mark.parametrize("option", ["label", "split"])
def test_an_unknown_option_is_refused(tmp_path, option):
    with pytest.raises(ConfigError, match=f"unknown {option} 'best'"):
        inbreast.read(tree(tmp_path), **{option: "best"})
