"""A folder becomes cases; each fault becomes one error that names all its cases."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data import TolerantDataset, list_images, load_datalist, split_by_patient
from monai_mtl.errors import DataError, ImageError, MissingError

from ..factories import edit_datalist, write_datalist

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}


def test_cases_have_absolute_paths_and_all_their_fields(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c["training"][1].update(label_cls="mass", view="CC"))
    case = load_datalist(tmp_path, CLASSES)["training"][1]
    assert Path(case["image"]).is_absolute()
    assert case == {
        "image": str(tmp_path / "images" / "case1.png"),
        "label_seg": str(tmp_path / "masks" / "case1.png"),
        "label_cls": 1,
        "patient_id": "patient1",
        "case_id": "case1",
        "view": "CC",
    }


def test_absent_labels_stay_absent_and_label_means_label_seg(tmp_path):
    write_datalist(tmp_path)

    def change(content):
        case = content["training"][0]
        case["label"] = case.pop("label_seg")
        del content["training"][1]["label_seg"], content["training"][2]["label_cls"]

    edit_datalist(tmp_path, change)
    training = load_datalist(tmp_path, CLASSES)["training"]
    assert "label" not in training[0]
    assert [("label_seg" in c, "label_cls" in c) for c in training[:3]] == [(True, True), (False, True), (True, False)]


def test_test_cases_may_be_file_names_as_in_the_decathlon(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c.update(test=[c["validation"].pop()["image"]]))
    assert load_datalist(tmp_path, CLASSES)["test"] == [
        {"image": str(tmp_path / "images" / "case5.png"), "case_id": "case5"}
    ]


def test_an_absolute_image_path_stays_out_of_the_case_id(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c["training"][0].update(image=str(tmp_path / "images" / "case0.png")))
    assert load_datalist(tmp_path, CLASSES)["training"][0]["case_id"] == "case0"


def test_a_patient_id_that_equals_a_folder_name_stays_a_name(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c["training"][0].update(patient_id="images"))
    assert load_datalist(tmp_path, CLASSES)["training"][0]["patient_id"] == "images"


def test_without_validation_cases_the_split_is_by_patient_and_repeatable(tmp_path):
    write_datalist(tmp_path, patients=10, images_each=2, sections=False)
    sections = load_datalist(tmp_path, CLASSES)
    patients = {name: {c["patient_id"] for c in cases} for name, cases in sections.items()}
    assert [len(p) for p in patients.values()] == [6, 2, 2]
    assert sum(len(cases) for cases in sections.values()) == 20
    assert not patients["training"] & patients["validation"] | patients["test"] & patients["training"]
    assert all({c["label_cls"] for c in cases} == {0, 1} for cases in sections.values())
    cases = [case for section in sections.values() for case in section]
    assert split_by_patient(cases[::-1]) == split_by_patient(cases) == sections
    assert split_by_patient(cases, seed=1) != sections


def folder_pair(folder: Path, columns: tuple[str, ...] = ("image", "patient_id", "label_cls")) -> Path:
    write_datalist(folder, patients=5)
    (folder / "dataset.json").unlink()
    rows = [{"image": f"case{i}.png", "patient_id": f"p{i}", "label_cls": i % 2, "split": "training"} for i in range(5)]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_pair_of_folders_with_a_table_is_read(tmp_path):
    sections = load_datalist(folder_pair(tmp_path), CLASSES)
    cases = sorted((c for s in sections.values() for c in s), key=lambda c: c["case_id"])
    assert [(c["case_id"], c["patient_id"], c["label_cls"]) for c in cases] == [
        (f"case{i}", f"p{i}", i % 2) for i in range(5)
    ]
    assert all(Path(c["label_seg"]).name == Path(c["image"]).name for c in cases)


def test_a_table_may_name_the_split_and_leave_masks_out(tmp_path):
    folder_pair(tmp_path)
    (tmp_path / "masks" / "case0.png").unlink()
    (tmp_path / "labels.csv").write_text(
        "image,patient_id,label_cls,label_seg,split\n"
        "case0.png,p0,0,,training\ncase1.png,p1,1,x,training\ncase2.png,p2,0,x,training\n"
        "case3.png,p3,1,x,validation\ncase4.png,p4,0,x,test\n"
    )
    sections = load_datalist(tmp_path, CLASSES)
    assert [len(sections[name]) for name in ("training", "validation", "test")] == [3, 1, 1]
    assert "label_seg" not in sections["training"][0]


def test_a_blank_after_a_patient_makes_no_other_patient(tmp_path):
    folder_pair(tmp_path)
    rows = [f"case{i}.png,p{i},{i % 2},training" for i in range(3)]
    rows += ["case3.png,p3,1,validation", "case4.png,p1 ,0,test"]
    (tmp_path / "labels.csv").write_text("\n".join(["image,patient_id,label_cls,split", *rows]))
    with pytest.raises(DataError, match="patient in two sections"):
        load_datalist(tmp_path, CLASSES)


def test_nor_does_it_in_a_datalist(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c["validation"][0].update(patient_id=f" {c['training'][0]['patient_id']} "))
    with pytest.raises(DataError, match="patient in two sections"):
        load_datalist(tmp_path, CLASSES)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", ", "),
        lambda text: text.replace(",1", ",1.0").replace(",0", ",0.0"),
        lambda text: text.replace(",1", ", mass ").replace(",0", ",no mass"),
        lambda text: text + "\n,,\n",
    ],
    ids=["semicolons", "blanks", "floats", "names", "an empty row"],
)
def test_a_table_may_be_written_as_spreadsheets_do(tmp_path, change):
    folder_pair(tmp_path)
    expected = load_datalist(tmp_path, CLASSES)
    (tmp_path / "labels.csv").write_text(change((tmp_path / "labels.csv").read_text()))
    assert load_datalist(tmp_path, CLASSES) == expected


def remove_masks(folder):
    shutil.rmtree(folder / "masks")


FOLDER_FAULTS = [
    (remove_masks, "5 of 5 cases have no mask"),
    (lambda f: (f / "labels.csv").unlink(), "labels.csv"),
    (lambda f: (f / "labels.csv").write_text("image,age\ncase0.png,50\n"), "lacks"),
    (lambda f: (f / "images" / "case3.png").unlink(), "disagree about 1 cases"),
    (lambda f: shutil.copy(f / "images" / "case3.png", f / "images" / "case3.jpg"), "the same name"),
    (lambda f: (f / "labels.csv").write_text((f / "labels.csv").read_text() + "case3.png,p9,0\n"), "the same name"),
    (lambda f: (f / "labels.csv").write_bytes("image,patient_id\ncase0.png,p0".encode("utf-16")), "UTF-8"),
    (lambda f: [p.unlink() for p in (f / "images").iterdir()], "no images in"),
    (
        lambda f: (f / "labels.csv").write_text((f / "labels.csv").read_text().replace("label_cls", "split")),
        "unknown split",
    ),
]


def resize_mask(folder):
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(folder / "masks" / "case1.png")


def grey_mask(folder):
    Image.fromarray(np.full((96, 80), 7, np.uint8)).save(folder / "masks" / "case2.png")


def strip(key):
    return lambda f: edit_datalist(f, lambda c: [case.pop(key) for s in c.values() for case in s])


def both_stripped(folder):
    strip("label_seg")(folder)
    strip("label_cls")(folder)


DATALIST_FAULTS = [
    (lambda f: (f / "dataset.json").write_text("{"), "not valid JSON"),
    (lambda f: (f / "dataset.json").write_text('{"training": []}'), "does not list its cases"),
    *(
        (lambda f, text=text: (f / "dataset.json").write_text(text), "does not list its cases")
        for text in ('{"training": [{"label": "a"}]}', "[]", '{"training": null}', '{"training": [{"image": null}]}')
    ),
    (lambda f: edit_datalist(f, lambda c: [case.update(case_id="x") for case in c["training"]]), "the same case_id"),
    (lambda f: (f / "images" / "case0.png").unlink(), "1 of 6 cases cannot be read"),
    (lambda f: (f / "images" / "case0.png").write_text("no"), "1 of 6 cases cannot be read"),
    (resize_mask, "1 of 6 cases have a mask of another size"),
    (grey_mask, "1 of 6 cases have a mask with undeclared values"),
    (lambda f: edit_datalist(f, lambda c: c["training"][0].update(label_cls=2)), "undeclared label_cls"),
    (lambda f: edit_datalist(f, lambda c: c["training"][0].update(label_cls="cyst")), "undeclared label_cls"),
    (strip("label_seg"), "no training case has a label_seg"),
    (both_stripped, "no training case has a label_"),
    (lambda f: edit_datalist(f, lambda c: c["training"].append(c["training"][0])), "listed more than once"),
    (lambda f: edit_datalist(f, lambda c: c["validation"][0].update(patient_id="patient0")), "patient in two sections"),
    (lambda f: edit_datalist(f, lambda c: c.update(test=c["validation"], validation=[])), "no validation cases"),
]


@pytest.mark.parametrize(
    ("make", "spoil", "message"),
    [*((folder_pair, *fault) for fault in FOLDER_FAULTS), *((write_datalist, *fault) for fault in DATALIST_FAULTS)],
)
def test_a_fault_of_a_data_set_is_named(tmp_path, make, spoil, message):
    spoil(make(tmp_path))
    with pytest.raises(DataError, match=message) as raised:
        load_datalist(tmp_path, CLASSES)
    assert raised.value.fix


def test_a_class_that_is_defined_by_the_mask_must_agree_with_it(tmp_path):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: [c["training"][0].update(label_cls=1), c["training"][1].update(label_cls=0)])
    assert len(load_datalist(tmp_path, CLASSES, empty_classes={"no mass", "mass"})["training"]) == 4
    with pytest.raises(DataError, match="1 of 6 cases have a class with a lesion and an empty mask"):
        load_datalist(tmp_path, CLASSES)
    with pytest.raises(DataError, match="2 of 6 cases have a class that disagrees") as raised:
        load_datalist(tmp_path, CLASSES, class_from_mask=True)
    assert raised.value.where == ["case0.png: label_cls 1, mask empty", "case1.png: label_cls 0, mask not empty"]


def test_a_set_that_cannot_be_split_without_leaking_is_refused(tmp_path):
    write_datalist(tmp_path, patients=4, images_each=2, sections=False)
    with pytest.raises(DataError, match="4 patients cannot be split"):
        load_datalist(tmp_path, CLASSES)
    strip("patient_id")(tmp_path)
    with pytest.raises(DataError, match="8 of 8 cases have no patient_id"):
        load_datalist(tmp_path, CLASSES)


def test_a_leak_that_cannot_be_seen_is_told(tmp_path, caplog):
    write_datalist(tmp_path)
    edit_datalist(tmp_path, lambda c: c["training"][0].pop("patient_id"))
    load_datalist(tmp_path, CLASSES)
    assert "1 of 6 cases have no patient_id" in caplog.text


def test_names_stay_apart_where_one_file_is_called_as_the_stem_of_another(tmp_path):
    for name in ("a.png", "a.jpg", "a.png.png"):
        (tmp_path / name).touch()
    assert [case["case_id"] for case in list_images(tmp_path)] == ["a.jpg", "a.png", "a.png.png"]


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(MissingError, match="no folder"):
        load_datalist(tmp_path / "nowhere", CLASSES)
    with pytest.raises(DataError, match="no data set found") as raised:
        load_datalist(tmp_path, CLASSES)
    assert "it holds: nothing" in str(raised.value)


def test_images_to_predict_are_listed_by_name(tmp_path):
    for name in ("b.png", "sub/a.png", "sub/a.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [c["case_id"] for c in list_images(tmp_path)] == ["b", "sub/a.jpg", "sub/a.png"]
    assert list_images(tmp_path / "b.png") == [{"image": str(tmp_path / "b.png"), "case_id": "b"}]
    with pytest.raises(MissingError, match="no file or folder"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no PNG, JPEG, DICOM or NIfTI below"):
        list_images(tmp_path / "empty")


def test_one_bad_case_does_not_stop_the_others():
    def transform(case):
        if case["case_id"] == "bad":
            raise RuntimeError("applying transform") from ImageError("broken")
        return case

    cases = [{"case_id": name} for name in ("a", "bad", "b")]
    dataset = TolerantDataset(cases, transform)
    assert [c["case_id"] for c in dataset] == ["a", "b"]
    assert {name: fault.what for name, fault in dataset.faults.items()} == {"bad": "broken"}


def test_a_programming_error_is_not_swallowed():
    def transform(case):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        list(TolerantDataset([{"case_id": "a"}], transform))
