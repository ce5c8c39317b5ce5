"""Each finding of the check, from a small set with one fault; and what is no fault."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from monai_mtl.data import examine_dataset, load_datalist
from monai_mtl.data.findings import KINDS, Finding, Report, finding
from monai_mtl.errors import IMAGE_FAULTS, DataError

from ..factories import breast, edit_datalist, write_datalist

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}


@pytest.fixture
def data(tmp_path):
    return write_datalist(tmp_path / "data", patients=8)


def findings(folder, **options):
    _, report = examine_dataset(folder, CLASSES, **options)
    return {(one.kind, one.severity, case) for one in report.findings for case in one.cases or [""]}


def image(folder, i):
    return folder / "images" / f"case{i}.png"


def mask(folder, i):
    return folder / "masks" / f"case{i}.png"


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)


def edit(change):
    return lambda folder: edit_datalist(folder, change)


def two_frames(folder):
    frames = [Image.fromarray(breast(seed=i)[0]) for i in (20, 21)]
    frames[0].save(image(folder, 0), save_all=True, append_images=frames[1:])


def not_a_number(folder):
    array = breast(seed=30)[0].astype(np.float32)
    array[0, 0] = np.nan
    image(folder, 0).unlink()
    save(folder / "images" / "case0.tif", array)
    edit_datalist(folder, lambda c: c["training"][0].update(image="images/case0.tif", case_id="case0"))


def lossy_mask(folder):
    save(folder / "masks" / "case1.jpg", breast(lesion=True)[1], quality=50)
    mask(folder, 1).unlink()
    edit_datalist(folder, lambda c: c["training"][1].update(label_seg="masks/case1.jpg"))


def crossing(folder, again=False):
    """Case 6 validates, case 0 trains; both have no lesion."""
    if again:
        shutil.copy(image(folder, 0), image(folder, 6))
    else:
        save(image(folder, 6), np.asarray(Image.open(image(folder, 0))) // 2 + 40)


def shared_patient(folder):
    edit_datalist(folder, lambda c: c["validation"][0].update(patient_id="patient0"))


def shared_lesion(folder):
    def change(content):
        for case in (content["training"][0], content["validation"][0]):
            del case["patient_id"]
            case["lesion_id"] = "mole"

    edit_datalist(folder, change)


def errors(kind, *cases):
    return {(kind, "error", f"case{i}") for i in cases}


def warnings(kind, *cases):
    return {(kind, "warning", f"case{i}") for i in cases}


FAULTS = [
    (lambda f: image(f, 0).write_text("no"), errors("unreadable", 0)),
    (lambda f: image(f, 0).unlink(), errors("missing_image", 0)),
    (lambda f: mask(f, 0).unlink(), errors("missing_mask", 0)),
    (lambda f: save(mask(f, 1), np.zeros((9, 9), np.uint8)), errors("mask_size", 1)),
    (lambda f: save(mask(f, 1), np.full((96, 80), 7, np.uint8)), errors("values", 1)),
    (lambda f: save(image(f, 0), breast(seed=40)[0], format="JPEG"), errors("name", 0)),
    (lambda f: save(image(f, 0), np.random.RandomState(0).randint(0, 255, (96, 80, 3), np.uint8)), errors("colour", 0)),
    (two_frames, errors("frames", 0)),
    (not_a_number, errors("non_finite", 0)),
    (lossy_mask, errors("lossy", 1)),
    (lambda f: save(mask(f, 1), np.zeros((96, 80), np.uint8)), errors("empty_mask", 1)),
    (edit(lambda c: c["training"][0].update(label_cls=5)), errors("undeclared_class", 0)),
    (edit(lambda c: c["training"][0].update(sha256_image="00")), errors("hash", 0)),
    (edit(lambda c: c["training"].append(c["training"][0])), errors("listed_twice", 0)),
    (edit(lambda c: c["training"][0].update(case_id="case2")), errors("same_case_id", 2)),
    (shared_patient, errors("patient_split", 0, 6)),
    (shared_lesion, errors("patient_split", 0, 6) | warnings("no_patient_id", 0, 6)),
    (crossing, errors("near_duplicate", 0, 6)),
    (lambda f: crossing(f, again=True), errors("duplicate", 0, 6)),
    (lambda f: shutil.copy(image(f, 0), image(f, 1)), errors("duplicate", 0, 1)),
    (lambda f: shutil.copy(image(f, 0), image(f, 2)), errors("duplicate", 0, 2)),
    (lambda f: shutil.copy(image(f, 0), f / "old.png"), {("unused", "warning", "old.png")}),
    (edit(lambda c: c["training"][0].pop("patient_id")), warnings("no_patient_id", 0)),
    (
        edit(lambda c: [case.pop("label_seg") and case.pop("label_cls") for case in c["training"]]),
        {("no_labels", "error", ""), *(("unused", "warning", f"masks/case{i}.png") for i in range(6))},
    ),
    (edit(lambda c: c.update(test=c.pop("validation"))), {("split", "error", "")}),
]


@pytest.mark.parametrize(("spoil", "expected"), FAULTS)
def test_a_fault_is_found_and_nothing_else(data, spoil, expected):
    assert findings(data) == set()
    spoil(data)
    assert findings(data) == expected


def test_pictures_of_unknown_patients_alike_in_one_section_are_told(data):
    edit_datalist(data, lambda c: [case.pop("patient_id") for case in c["training"][:3:2]])
    for copied in (True, False):
        if copied:
            shutil.copy(image(data, 0), image(data, 2))
        else:
            save(image(data, 2), np.asarray(Image.open(image(data, 0))) // 2 + 40)
        assert findings(data) == warnings("twins", 0, 2) | warnings("no_patient_id", 0, 2)


def test_pictures_of_one_patient_in_one_section_may_be_alike(data):
    shutil.copy(image(data, 0), image(data, 2))
    edit_datalist(data, lambda c: c["training"][2].update(patient_id="patient0"))
    assert findings(data) == set()


def test_classes_spacings_and_sides_far_from_the_rest_are_told(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    folder = write_datalist(tmp_path, patients=60)
    edit_datalist(folder, lambda c: [case.update(label_cls=0) for case in c["training"] if case["label_cls"]])
    edit_datalist(folder, lambda c: [c["training"][i].pop("label_seg") for i in range(58)])
    save(image(folder, 3), breast(80, 96, seed=70)[0])
    for i, spacing in ((0, 0.1), (1, 0.1), (2, 1.0)):
        volume = nibabel.Nifti1Image(breast(seed=80 + i)[0].T.astype(np.int16), np.diag([spacing, spacing, 1, 1]))
        volume.to_filename(folder / "images" / f"case{i}.nii")
    edit_datalist(
        folder,
        lambda c: [c["training"][i].update(image=f"images/case{i}.nii", case_id=f"case{i}") for i in range(3)],
    )
    found = findings(folder)
    assert {one for one in found if one[0] in ("spacing", "orientation", "class_balance")} == {
        *warnings("spacing", 2),
        *warnings("orientation", 3),
        *warnings("class_balance", 59),
    }


def test_a_declared_empty_mask_and_an_empty_mask_of_an_empty_class_are_no_fault(data):
    edit_datalist(data, lambda c: c["training"][1].update(label_seg=[]))
    mask(data, 1).unlink()
    classes = {"seg": ["background", "mass"], "cls": ["Normal", "mass"]}
    assert not examine_dataset(data, classes)[1].findings
    classes["cls"] = ["cyst", "mass"]
    assert [one.kind for one in examine_dataset(data, classes)[1].findings] == ["empty_mask"]
    assert not examine_dataset(data, classes, empty_classes={"cyst"})[1].findings


def test_several_kinds_are_one_error_that_names_all_and_the_file_with_the_rest(data, tmp_path):
    image(data, 0).write_text("no")
    save(mask(data, 1), np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match="2 kinds of faults in the data set, 2 cases") as raised:
        load_datalist(data, CLASSES, output_dir=tmp_path / "out")
    text = str(raised.value)
    for part in ("1 of 8 cases cannot be read", "1 of 8 cases have a mask of another size", "case1.png: 9x9", "fix: "):
        assert part in text
    assert text.endswith(f"details: {tmp_path / 'out' / 'check.json'}")
    content = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [one["kind"] for one in content["findings"]] == ["unreadable", "mask_size"]
    assert str(tmp_path) not in json.dumps(content)
    assert "patient0" not in json.dumps(content)


def test_one_kind_says_where_the_details_are_and_a_sound_set_writes_nothing(data, tmp_path):
    load_datalist(data, CLASSES, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    image(data, 0).write_text("no")
    with pytest.raises(DataError, match="1 of 8 cases cannot be read") as raised:
        load_datalist(data, CLASSES, output_dir=tmp_path / "out")
    assert "details: " in str(raised.value)


def test_of_several_processes_the_first_writes(data, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    examine_dataset(data, CLASSES, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_outputs_inside_the_data_folder_are_not_called_unused(data):
    for _ in range(2):
        _, report = examine_dataset(data, CLASSES, output_dir=data / "check")
        assert report.findings == []
    assert report.details == data / "check" / "check.json"


def test_warnings_are_logged_with_places(data, caplog):
    shutil.copy(image(data, 0), data / "old.png")
    load_datalist(data, CLASSES)
    assert "1 of 17 image files in the data folder belong to no case: old.png" in caplog.text


def test_with_a_salt_no_name_of_a_file_reaches_a_report(data, tmp_path):
    edit_datalist(data, lambda c: c["training"][1].update(sha256_image="00"))
    image(data, 0).write_text("no")
    shutil.copy(image(data, 2), image(data, 4))
    shutil.copy(image(data, 2), data / "case99.png")
    sections, report = examine_dataset(data, CLASSES, case_id_salt="s", output_dir=tmp_path / "out")
    assert {one.kind for one in report.findings} == {"unreadable", "hash", "duplicate", "unused"}
    assert "case" not in json.dumps(report.to_json()["findings"]).replace("cases", "").replace("no case", "")
    ids = {case["case_id"] for cases in sections.values() for case in cases}
    assert len(ids) == 8
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in ids)
    again, _ = examine_dataset(data, CLASSES, case_id_salt="other")
    assert not ids & {case["case_id"] for cases in again.values() for case in cases}


def test_a_file_named_after_its_patient_is_called_by_its_case(data):
    image(data, 0).rename(data / "images" / "77_patient0_CC.png")
    edit_datalist(data, lambda c: c["training"][0].update(image="images/77_patient0_CC.png", case_id="77"))
    (data / "images" / "77_patient0_CC.png").write_text("no")
    content = json.dumps(examine_dataset(data, CLASSES)[1].to_json())
    assert "cannot read 77" in content
    assert "patient0" not in content


def test_what_was_found_is_told_where_no_details_can_be_written(data, tmp_path, caplog):
    image(data, 0).write_text("no")
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(DataError, match="1 of 8 cases cannot be read") as raised:
        load_datalist(data, CLASSES, output_dir=tmp_path / "out")
    assert "details" not in str(raised.value)
    assert "no details written" in caplog.text


def test_every_fault_of_the_reader_has_a_text_and_a_report_puts_errors_first():
    assert set(IMAGE_FAULTS) <= set(KINDS)
    report = Report(
        2, [Finding("twins", "warning", "w"), Finding("lossy", "error", "b"), Finding("name", "error", "a")]
    )
    assert [one.what for one in report.findings] == ["a", "b", "w"]
    assert finding("name", [], 3) == []
    Report(1, report.warnings).raise_errors()
