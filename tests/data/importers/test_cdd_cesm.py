"""CDD-CESM as shipped, and its flattened part."""

import csv
import hashlib
import json
import math
import os
from collections import Counter
from pathlib import Path

import pytest

from monai_mtl.data.importers import cdd_cesm
from monai_mtl.errors import ConfigError, DataError

from .trees import pictures, write_csv, write_xlsx

LOW, SUBTRACTED = "Low energy images of CDD-CESM", "Subtracted images of CDD-CESM"
HEADER = ["Image_name", "Patient_ID", "Side", "Type", "Age", "Breast density (ACR)", "BIRADS", "Findings", "View"]
HEADER += ["Tags", "Machine", "Pathology Classification/ Follow up"]
ROWS = [
    ["P1_L_DM_MLO", 1, "L", "DM", 46, "C", 4, "Multiple masses $edema", "MLO", "", 1, "Malignant"],
    ["P1_L_CM_MLO", 1, "L", "CESM", 46, "_", 4, "Non enhancing mass", "MLO", "", 1, "Malignant"],
    ["P3_L_CM_CC ", 3, "L", "CESM", 31, "_", "3$2", "non mass enhancement", "CC", "", 2, "Benign"],
    ["P3_L_DM_CC", 3, "L", "DM", 31, "B", "3$2", "Calcifications", "CC", "", 2, "Benign"],
    ["P4_R_DM_CC", 4, "R", "DM", 50, "B", 1, "Normal", "CC", "normal", 2, "Normal"],
    ["P4_R_CM_CC", 4, "R", "CESM", 50, "_", 1, "No mass or non mass enhancement", "CC", "normal", 2, "Normal"],
    ["P5_R_DM_CC", 5, "R", "DM", 60, "A", 2, "Oval mass", "CC", "", 1, "Benign"],
]
SQUARE = {"name": "polygon", "all_points_x": [1, 3, 3], "all_points_y": [0, 0, 2.5]}
OUTLINE = [[1.0, 0.0], [3.0, 0.0], [3.0, 2.5]]
REGIONS = [
    ("P1_L_DM_MLO.jpg", SQUARE),
    ("P1_L_DM_MLO .jpg", SQUARE | {"name": "polyline"}),
    ("P1_L_DM_MLO.jpg", {"name": "point", "cx": 2, "cy": 1}),
    ("P3_L_DM_CC.jpg", SQUARE),
    ("P4_R_DM_CC.jpg", {}),
    (" P1_L_CM_MLO.jpg", {"name": "circle", "cx": 10, "cy": 20, "r": 2}),
    ("P3_L_CM_CC.jpg", {"name": "ellipse", "cx": 10, "cy": 20, "rx": 2, "ry": 5}),
]


def write_regions(path, regions):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["#filename", "file_size", "region_shape_attributes"])
        table.writerows([name, 1, json.dumps(shape) if isinstance(shape, dict) else shape] for name, shape in regions)


def tree(folder):
    """Images one level below the tables, as the archive's package unpacks; a file name with a stray space."""
    for row in ROWS:
        name = row[0].replace("P3_L_DM_CC", "P3_L_DM_CC ")
        pictures(folder / "CDD-CESM" / (LOW if row[3] == "DM" else SUBTRACTED), f"{name}.jpg")
    write_xlsx(folder / "Radiology manual annotations.xlsx", [HEADER, *ROWS])
    write_regions(folder / "Radiology_hand_drawn_segmentations_v2.csv", REGIONS)
    return folder


FLAT = "image,mask,patient,label,birads,density_acr,view,side,modality,age,findings,has_mass,fold"


def flat_tree(folder):
    names = ("P105_R_CM_CC", "P105_R_DM_CC", "P106_L_DM_MLO", "P107_L_DM_CC")
    pictures(folder / "images", *(f"{name}.jpg" for name in names))
    pictures(folder / "masks", *(f"{name}.png" for name in names))
    rows = [
        f"images/{names[0]}.jpg,masks/{names[0]}.png,P105,malignant,5,_,CC,R,CESM,63,mass,1,2",
        f"images/{names[1]}.jpg,masks/{names[1]}.png,P105,malignant,4$2,B,CC,R,DM,63,mass,1,2",
        f"images/{names[2]}.jpg,masks/{names[2]}.png,P106,malignant,5,C,MLO,L,DM,47,distortion,0,1",
        f"images/{names[3]}.jpg,,P107,benign,2,C,CC,L,DM,,mass,1,1",
    ]
    write_csv(folder / "labels.csv", FLAT, *rows)
    return folder


def case(name, label, seg=None, file=None, birads=4, folder=LOW, **more):
    patient, side, modality, view = name.split("_")
    fields = {"image": f"CDD-CESM/{folder}/{file or name}.jpg", "case_id": name, "patient_id": patient}
    fields |= {"laterality": side, "view": view, "modality": modality, "birads": birads, "label_cls": label} | more
    return fields if seg is None else fields | {"label_seg": seg}


P1 = {"polygons": [OUTLINE, OUTLINE, [[2.0, 1.0]]]}


@pytest.mark.parametrize(
    ("options", "labels", "masks"),
    [
        ({}, (1, 0, 0, 1), (P1, [], [], None)),
        (
            {"label": "pathology"},
            ("malignant", "benign", "normal", "benign"),
            (P1, {"polygons": [OUTLINE]}, [], None),
        ),
    ],
)
def test_low_energy_images_are_read_as_the_archive_ships_them(tmp_path, options, labels, masks):
    names = ("P1_L_DM_MLO", "P3_L_DM_CC", "P4_R_DM_CC", "P5_R_DM_CC")
    fields = [
        {"birads": 4, "density": "C", "age": 46},
        {"birads": 3, "density": "B", "age": 31, "file": "P3_L_DM_CC "},
        {"birads": 1, "density": "B", "age": 50},
        {"birads": 2, "density": "A", "age": 60},
    ]
    cases = [case(n, c, s, **more) for n, c, s, more in zip(names, labels, masks, fields, strict=True)]
    assert cdd_cesm.read(tree(tmp_path), **options) == {"training": cases, "validation": [], "test": []}


def test_malignant_images_and_lesions_are_told_from_all_others(tmp_path):
    found = cdd_cesm.read(tree(tmp_path), label="malignant", lesions="pathology")["training"]
    assert [(c["label_cls"], c.get("label_seg"), c.get("class_seg")) for c in found] == [
        (1, P1, 2),
        (0, {"polygons": [OUTLINE]}, 1),
        (0, [], None),
        (0, None, None),
    ]
    masses = cdd_cesm.read(tmp_path, lesions="pathology")["training"]
    assert [c.get("class_seg") for c in masses] == [2, None, None, None]


def test_subtracted_images_have_round_outlines_as_polygons(tmp_path):
    found = cdd_cesm.read(tree(tmp_path), modality="CM", label="pathology")["training"]
    assert [(c["case_id"], c["modality"], c["label_cls"]) for c in found] == [
        ("P1_L_CM_MLO", "CM", "malignant"),
        ("P3_L_CM_CC", "CM", "benign"),
        ("P4_R_CM_CC", "CM", "normal"),
    ]
    assert found[1]["image"] == f"CDD-CESM/{SUBTRACTED}/P3_L_CM_CC .jpg"
    assert found[2]["label_seg"] == []
    for c, (a, b) in zip(found[:2], ((2, 2), (2, 5)), strict=True):
        (outline,) = c["label_seg"]["polygons"]
        assert outline[0] == [10 + a, 20]
        assert len(outline) == 64
        assert all(math.isclose(((x - 10) / a) ** 2 + ((y - 20) / b) ** 2, 1) for x, y in outline)


def test_both_modalities_and_a_table_of_text(tmp_path):
    (tree(tmp_path) / "Radiology manual annotations.xlsx").unlink()
    write_csv(tmp_path / "Radiology-manual-annotations.csv", *(",".join(map(str, row)) for row in (HEADER, *ROWS)))
    found = cdd_cesm.read(tmp_path, modality="both")["training"]
    assert [c["label_cls"] for c in found] == [1, 1, 0, 0, 0, 0, 1]


def test_the_flattened_shape_is_read(tmp_path):
    shared = {"laterality": "R", "view": "CC", "modality": "DM", "birads": 4, "density": "B", "age": 63, "fold": 2}
    first = {"image": "images/P105_R_DM_CC.jpg", "case_id": "P105_R_DM_CC", "patient_id": "P105", "label_cls": 1}
    first |= shared | {"label_seg": "masks/P105_R_DM_CC.png"}
    found = cdd_cesm.read(flat_tree(tmp_path))
    assert found["training"][0] == first
    keys = ("case_id", "label_cls", "label_seg")
    assert [tuple(c.get(key) for key in keys) for c in found["training"][1:]] == [
        ("P106_L_DM_MLO", 0, []),
        ("P107_L_DM_CC", 1, None),
    ]
    found = cdd_cesm.read(tmp_path, modality="both", label="pathology")["training"]
    assert [(c["label_cls"], c["modality"], c.get("label_seg")) for c in found] == [
        ("malignant", "CM", "masks/P105_R_CM_CC.png"),
        ("malignant", "DM", "masks/P105_R_DM_CC.png"),
        ("malignant", "DM", "masks/P106_L_DM_MLO.png"),
        ("benign", "DM", None),
    ]


def spoil_regions(*regions):
    return lambda f: write_regions(f / "Radiology_hand_drawn_segmentations_v2.csv", [*REGIONS, *regions])


FAULTS = [
    (lambda f: (f / "Radiology manual annotations.xlsx").unlink(), "no table"),
    (lambda f: (f / "Radiology_hand_drawn_segmentations_v2.csv").unlink(), "no table"),
    (lambda f: write_xlsx(f / "Radiology manual annotations.xlsx", [HEADER[:-1], ROWS[0][:-1]]), "lacks 1 columns"),
    (lambda f: write_xlsx(f / "Radiology manual annotations.xlsx", [HEADER, *ROWS, ROWS[0]]), "same name: 1 place"),
    (lambda f: (f / "CDD-CESM" / LOW / "P1_L_DM_MLO.jpg").unlink(), "disagree: 1 place"),
    (lambda f: (f / "CDD-CESM" / LOW).rename(f / "CDD-CESM" / "low"), "no files in"),
    (lambda f: write_csv(f / "Radiology_hand_drawn_segmentations_v2.csv", "name", "a"), "lacks 2 columns"),
    (spoil_regions(("P9_L_DM_CC.jpg", SQUARE)), "outlines of images that the table lacks: 1 place"),
    (
        spoil_regions(
            ("a.jpg", "{"),
            ("b.jpg", {"name": "rect", "cx": 1, "cy": 1}),
            ("c.jpg", SQUARE | {"all_points_x": [1]}),
            ("d.jpg", {"name": "circle", "cx": 1, "cy": None}),
        ),
        "cannot be used: 4 places",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS)
def test_a_fault_of_the_set_is_named(tmp_path, spoil, message):
    spoil(tree(tmp_path))
    with pytest.raises(DataError, match=message) as raised:
        cdd_cesm.read(tmp_path)
    assert raised.value.fix


@pytest.mark.parametrize("option", ["modality", "label", "split", "lesions"])
def test_an_unknown_option_is_refused(tmp_path, option):
    with pytest.raises(ConfigError, match=f"unknown {option} 'CESM'"):
        cdd_cesm.read(flat_tree(tmp_path), **{option: "CESM"})


@pytest.mark.realdata
def test_real_images_are_counted():
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "cdd_cesm_mammo"
    found = {m: cdd_cesm.read(folder, modality=m)["training"] for m in ("DM", "CM", "both")}
    assert {m: Counter(c["label_cls"] for c in cases) for m, cases in found.items()} == {
        "DM": {1: 155, 0: 116},
        "CM": {1: 180, 0: 89},
        "both": {1: 335, 0: 205},
    }
    assert all((c["label_seg"] == []) == (c["label_cls"] == 0) for c in found["both"])
    # The rule for the archive's table agrees with the flattened column on every mammogram at low energy.
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["modality"] == "DM"]
    assert [bool(cdd_cesm.MASS.search(row["findings"])) for row in rows] == [row["has_mass"] == "1" for row in rows]


def test_folds_are_dealt_by_patient_and_the_last_is_left_out(tmp_path, caplog):
    cases = cdd_cesm.read(flat_tree(tmp_path), modality="both")["training"]
    dealt = cdd_cesm.read(tmp_path, modality="both", split="folds")
    of = {"training": (0, 1), "validation": (2,), "test": (3,)}
    for name, folds in of.items():
        assert dealt[name] == [c for c in cases if fold_of(c["patient_id"]) in folds]
    assert dealt["training"]
    left = [c["case_id"] for c in cases if fold_of(c["patient_id"]) == 4]
    assert (f"{len(left)} of {len(cases)} left out" in caplog.text) == bool(left)


def fold_of(patient: str) -> int:
    return int(hashlib.sha1(patient.encode()).hexdigest(), 16) % 5


@pytest.mark.realdata
def test_folds_equal_those_of_the_flattened_table():
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "cdd_cesm_mammo"
    dealt = cdd_cesm.read(folder, split="folds")
    found = {name: {case["fold"] for case in cases} for name, cases in dealt.items()}
    assert found == {"training": {0, 1}, "validation": {2}, "test": {3}}
    assert [len(cases) for cases in dealt.values()] == [126, 79, 66]
