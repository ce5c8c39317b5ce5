"""CBIS-DDSM as shipped: masks and crops mixed up, two kinds of download."""

import numpy as np
import pytest

from monai_mtl.data.importers import cbis_ddsm, datalist_json
from monai_mtl.data.opening import read_cases
from monai_mtl.errors import ConfigError, DataError

from ...factories import write_datalist
from .trees import write_csv, write_dicom

MASS = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,mass margins,"
    "assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
)
CALC = MASS.replace("breast_density", "breast density").replace(
    "mass shape,mass margins", "calc type,calc distribution"
)
SIZE = (20, 12)


def paths(kind, name, crop, mask):
    """Image, crop and mask of a finding as the tables write them; crop and mask end in series and file."""
    return f"{kind}_{name}/1.1/1.2/000000.dcm", f"{kind}_{name}_1/1.3/{crop}.dcm", f"{kind}_{name}_1/1.3/{mask}.dcm"


def row(kind, patient, view, finding, grade, crop="2.1/000000", mask="2.1/000001"):
    name = f"{patient}_LEFT_{view}"
    image, crop, mask = paths(kind, name, crop, mask)
    line = f"{patient},3,LEFT,{view},{finding},x,OVAL,ILL,{grade},3,{image},{crop},{mask}"
    return line + "\n"  # the tables end many cells with a line break


def picture(size, values=(0, 255), kind=np.uint8):
    pixels = np.full(size, values[0], kind)
    pixels.flat[: len(values)] = values
    return pixels


def image(folder, kind, name, size=SIZE):
    write_dicom(folder / f"{kind}_{name}/1.1/1.2/000000.dcm", picture(size, range(9), np.uint16))


def finding(folder, kind, name, crop, mask, size=SIZE, crop_size=(5, 5)):
    write_dicom(folder / f"{kind}_{name}_1/1.3/{crop}.dcm", picture(crop_size, range(9), np.uint16))
    write_dicom(folder / f"{kind}_{name}_1/1.3/{mask}.dcm", picture(size))


def tree(folder):
    """Masses: two findings (files swapped, series apart), a mask of double size, one of another shape, one absent."""
    m, c = "Mass-Training", "Calc-Training"
    train = [
        row(m, "P_00001", "CC", 1, "4,BENIGN_WITHOUT_CALLBACK"),
        row(m, "P_00001", "CC", 2, "5,MALIGNANT", "3.1/000000", "3.2/000000"),
        row(m, "P_00001", "MLO", 1, "3,BENIGN"),
        row(m, "P_00004", "CC", 1, "3,BENIGN"),
        row(m, "P_00005", "CC", 1, "4,MALIGNANT"),
    ]
    write_csv(folder / "mass_case_description_train_set.csv", MASS, *train)
    write_csv(folder / "mass_case_description_test_set.csv", MASS, row("Mass-Test", "P_00009", "CC", 1, "2,BENIGN"))
    calc = [row(c, "P_00009", "MLO", 1, "2,BENIGN"), row(c, "P_00001", "CC", 1, "2,BENIGN")]
    calc += [row(c, "P_00006", "CC", 1, "2,BENIGN")]
    write_csv(folder / "calc_case_description_train_set.csv", CALC, *calc)
    write_csv(folder / "calc_case_description_test_set.csv", CALC, row("Calc-Test", "P_00008", "CC", 1, "4,MALIGNANT"))
    for name in ("P_00001_LEFT_CC", "P_00001_LEFT_MLO", "P_00004_LEFT_CC", "P_00005_LEFT_CC"):
        image(folder, m, name)
    finding(folder, m, "P_00001_LEFT_CC", crop="2.1/000001", mask="2.1/000000")
    finding(folder, m, "P_00001_LEFT_CC", crop="3.1/000000", mask="3.2/000000")
    finding(folder, m, "P_00001_LEFT_MLO", crop="2.1/000000", mask="2.1/000001", size=(40, 24))
    finding(folder, m, "P_00004_LEFT_CC", crop="2.1/000000", mask="2.1/000001", size=(40, 30))
    for kind, name in (("Calc-Training", "P_00006_LEFT_CC"), ("Calc-Test", "P_00008_LEFT_CC")):
        image(folder, kind, name)
        finding(folder, kind, name, crop="2.1/000001", mask="2.1/000000")
    image(folder, "Mass-Test", "P_00009_LEFT_CC")
    finding(folder, "Mass-Test", "P_00009_LEFT_CC", crop="2.1/000000", mask="2.1/000001")
    return folder


def case(kind, name, label, birads, *masks, **more):
    mask = [f"{kind}_{name}_1/1.3/{mask}.dcm" for mask in masks]
    fields = {"image": f"{kind}_{name}/1.1/1.2/000000.dcm", "case_id": name, "patient_id": name[:7], "laterality": "L"}
    fields |= {"view": name.rsplit("_", 1)[1], "density": 3, "birads": birads, "label_cls": label}
    return fields | {"label_seg": mask[0] if len(mask) == 1 else mask} | more


TWO = case("Mass-Training", "P_00001_LEFT_CC", 1, 5, "2.1/000000", "3.2/000000")
DOUBLE = case("Mass-Training", "P_00001_LEFT_MLO", 0, 3, "2.1/000001", rescale_seg=True)
ABSENT = case("Mass-Training", "P_00005_LEFT_CC", 1, 4, "2.1/000001")
TEST = case("Mass-Test", "P_00009_LEFT_CC", 0, 2, "2.1/000001")
CALC_TEST = case("Calc-Test", "P_00008_LEFT_CC", 1, 4, "2.1/000000")


def test_masses_are_read_with_the_mask_that_the_files_show(tmp_path, caplog):
    expected = {"training": [TWO, DOUBLE, ABSENT], "validation": [], "test": [TEST]}
    assert cbis_ddsm.read(tree(tmp_path)) == expected
    assert "1 of 4 left out, no file of a finding is a mask of the image's shape: P_00004_LEFT_CC" in caplog.text


def test_the_folders_may_lie_one_level_below(tmp_path):
    (tree(tmp_path) / "CBIS-DDSM").mkdir()
    for place in tmp_path.glob("Mass-*"):
        place.rename(tmp_path / "CBIS-DDSM" / place.name)
    paths = {"image": f"CBIS-DDSM/{TEST['image']}", "label_seg": f"CBIS-DDSM/{TEST['label_seg']}"}
    assert cbis_ddsm.read(tmp_path)["test"] == [TEST | paths]


def test_the_tables_of_calcifications_are_read_too(tmp_path):
    sections = cbis_ddsm.read(tree(tmp_path), abnormality="calc")
    assert sections["test"] == [CALC_TEST]
    assert [c["case_id"] for c in sections["training"]] == ["P_00009_LEFT_MLO", "P_00001_LEFT_CC", "P_00006_LEFT_CC"]


def test_with_both_tables_no_patient_is_in_training_and_test(tmp_path, caplog):
    sections = cbis_ddsm.read(tree(tmp_path), abnormality="both")
    calcification = TWO["label_seg"] + ["Calc-Training_P_00001_LEFT_CC_1/1.3/2.1/000001.dcm"]
    other = case("Calc-Training", "P_00006_LEFT_CC", 0, 2, "2.1/000000")
    assert sections["training"] == [TWO | {"label_seg": calcification}, DOUBLE, ABSENT, other]
    assert sections["test"] == [TEST, CALC_TEST]
    assert "1 of 6 left out, training cases of a test patient: P_00009_LEFT_MLO" in caplog.text


def test_has_mass_counts_masses_alone(tmp_path):
    sections = cbis_ddsm.read(tree(tmp_path), abnormality="both", label="has_mass")
    other = case("Calc-Training", "P_00006_LEFT_CC", 0, 2)
    assert sections["training"] == [TWO, DOUBLE | {"label_cls": 1}, ABSENT, other]
    assert sections["test"] == [TEST | {"label_cls": 1}, CALC_TEST | {"label_cls": 0, "label_seg": []}]


def test_lesions_have_the_class_of_their_own_pathology(tmp_path):
    expected = [TWO | {"class_seg": [1, 2]}, DOUBLE | {"class_seg": 1}, ABSENT | {"class_seg": 2}]
    sections = cbis_ddsm.read(tree(tmp_path), lesions="pathology")
    assert sections == {"training": expected, "validation": [], "test": [TEST | {"class_seg": 1}]}
    of_masses = cbis_ddsm.read(tmp_path, abnormality="both", label="has_mass", lesions="pathology")
    assert [case["class_seg"] for case in of_masses["test"]] == [1, []]


def test_folders_of_the_archives_tool_are_found_by_series(tmp_path):
    for part, patient in (("train", "P_00002"), ("test", "P_00001")):
        line = row("Mass-Test", patient, "CC", 1, "4,MALIGNANT")
        write_csv(tmp_path / f"mass_case_description_{part}_set.csv", MASS, line)
    places = {"1.2": "Mass-Test_P_00001_LEFT_CC/10-04-2016-DDSM-NA-1/1.000000-full mammogram images-2"}
    places["2.1"] = "Mass-Test_P_00001_LEFT_CC_1/10-04-2016-DDSM-NA-2/1.000000-ROI mask images-1"
    listed = [f"{uid},.\\CBIS-DDSM\\" + place.replace("/", "\\") for uid, place in places.items()]
    write_csv(tmp_path / "manifest-1" / "metadata.csv", "Series UID,File Location", *listed)
    root = tmp_path / "manifest-1" / "CBIS-DDSM"
    write_dicom(root / places["1.2"] / "1-1.dcm", picture(SIZE, range(9), np.uint16))
    write_dicom(root / places["2.1"] / "1-1.dcm", picture(SIZE))
    write_dicom(root / places["2.1"] / "1-2.dcm", picture((5, 5), range(9), np.uint16))
    (found,) = cbis_ddsm.read(tmp_path)["test"]
    assert found["image"] == f"manifest-1/CBIS-DDSM/{places['1.2']}/1-1.dcm"
    assert found["label_seg"] == f"manifest-1/CBIS-DDSM/{places['2.1']}/1-1.dcm"
    write_csv(tmp_path / "manifest-1" / "metadata.csv", "Series UID", "1.2")
    with pytest.raises(DataError, match="lacks 1 columns"):
        cbis_ddsm.read(tmp_path)


@pytest.mark.parametrize(
    ("crop", "mask", "broken", "label_seg"),
    [
        (SIZE, SIZE, "", "000001"),  # sizes do not decide, grey values do
        ((5, 5), (5, 5), "", "000001"),
        ((5, 5), SIZE, "2.1/000000", "000001"),  # no crop
        ((5, 5), SIZE, "2.1/000001", "000001"),  # no mask: the place where it should be
    ],
)
def test_a_mask_is_known_by_size_or_by_two_values(tmp_path, caplog, crop, mask, broken, label_seg):
    finding(tree(tmp_path), "Mass-Test", "P_00009_LEFT_CC", "2.1/000000", "2.1/000001", mask, crop)
    image(tmp_path, "Mass-Test", "P_00009_LEFT_CC", SIZE if SIZE in (crop, mask) else (10, 10))
    if broken:
        (tmp_path / f"Mass-Test_P_00009_LEFT_CC_1/1.3/{broken}.dcm").write_bytes(b"no DICOM")
    (found,) = cbis_ddsm.read(tmp_path)["test"]
    assert found["label_seg"].endswith(f"/{label_seg}.dcm")


def test_a_case_without_a_mask_among_its_files_is_left_out(tmp_path, caplog):
    place = tree(tmp_path) / "Mass-Test_P_00009_LEFT_CC_1/1.3/2.1"
    for i in range(2):
        write_dicom(place / f"00000{i}.dcm", picture((5, 5), range(9)))
    (place / "000000.dcm").write_bytes((place / "000001.dcm").read_bytes()[:-10])  # its pixels are cut short
    assert cbis_ddsm.read(tmp_path)["test"] == []
    assert "1 of 1 left out" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"abnormality": "cyst"}, ConfigError, "unknown abnormality 'cyst'"),
        ({"label": "birads"}, ConfigError, "unknown label 'birads'"),
        ({"lesions": "two"}, ConfigError, "unknown lesions 'two'"),
        ({"label": "has_mass"}, ConfigError, "has_mass is the same for all"),
        ({"abnormality": "calc"}, DataError, "no table .*calc_case_description_test_set.csv"),
        ({}, DataError, "lacks 1 columns"),
    ],
)
def test_options_and_tables_that_do_not_fit_are_refused(tmp_path, options, error, message):
    (tree(tmp_path) / "calc_case_description_test_set.csv").unlink()
    lines = [text.replace(",ROI mask file path", "").rsplit(",", 1)[0] for text in (MASS + ",x", "a," * 13)]
    write_csv(tmp_path / "mass_case_description_test_set.csv", *lines)
    with pytest.raises(error, match=message) as raised:
        cbis_ddsm.read(tmp_path, **options)
    assert raised.value.fix


def test_defaults_of_a_bundle_count_where_the_data_set_has_the_option_and_nothing_else_is_asked(tmp_path):
    defaults = {"lesions": "pathology"}
    assert "class_seg" in read_cases(cbis_ddsm, tree(tmp_path), {}, defaults)["test"][0]
    assert "class_seg" not in read_cases(cbis_ddsm, tmp_path, {"lesions": "one"}, defaults)["test"][0]
    other = write_datalist(tmp_path / "other")
    assert read_cases(datalist_json, other, {}, defaults) == datalist_json.read(other)
    with pytest.raises(ConfigError, match="no option lesions"):
        read_cases(datalist_json, other, defaults)
