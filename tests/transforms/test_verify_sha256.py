"""A file that changed since the list was written is refused by name."""

from __future__ import annotations

import json

import pytest
from monai.transforms import Compose

from monai_mtl.data import hashes, load_datalist
from monai_mtl.data.hashes import add_hashes, file_sha256, verify_hash
from monai_mtl.errors import ImageError, MissingError, own_error
from monai_mtl.transforms import VerifySHA256d

from ..factories import write_datalist

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}


def test_the_digest_is_that_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_equal_files_and_cases_without_digests_pass(tmp_path):
    sections = load_datalist(write_datalist(tmp_path), CLASSES)
    case = add_hashes(sections)["training"][0]
    assert set(case) - set(sections["training"][0]) == {"sha256_image", "sha256_label_seg"}
    check = VerifySHA256d()
    for good in (case, sections["training"][0], {**case, "label_seg": [case["label_seg"]]}):
        assert check(good) is good
    assert check(case | {"sha256_image": case["sha256_image"].upper()})


@pytest.mark.parametrize("key", ["image", "label_seg"])
def test_another_content_is_refused_with_the_name_of_the_file(tmp_path, key):
    case = add_hashes(load_datalist(write_datalist(tmp_path), CLASSES))["training"][1]
    with open(case[key], "ab") as file:
        file.write(b"x")
    with pytest.raises(RuntimeError) as raised:
        Compose([VerifySHA256d()])(case)
    fault = own_error(raised.value)
    assert isinstance(fault, ImageError)
    assert fault.kind == "hash"
    assert "case1.png is not the file" in str(fault)


def test_a_list_of_masks_has_a_list_of_digests(tmp_path):
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        file.write_text(file.name)
    case = {"image": str(files[0]), "label_seg": [str(file) for file in files]}
    hashed = add_hashes({"training": [case]})["training"][0]
    assert hashed["sha256_label_seg"] == [file_sha256(file) for file in files]
    assert VerifySHA256d()(hashed) is hashed
    with pytest.raises(ImageError, match="2 files and 1 digests"):
        verify_hash(case["label_seg"], hashed["sha256_label_seg"][:1])
    assert (
        "sha256_label_seg" not in add_hashes({"t": [{"image": str(files[0]), "label_seg": {"polygons": []}}]})["t"][0]
    )


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(MissingError, match="no such file"):
        file_sha256(tmp_path / "none")
    with pytest.raises(ImageError, match="cannot read"):
        file_sha256(tmp_path)


def test_a_written_list_reads_back_the_same_and_holds_no_absolute_path(tmp_path):
    folder = write_datalist(tmp_path / "data", patients=10, sections=False)
    sections = load_datalist(folder, CLASSES)
    hashes.write_datalist(sections, folder, folder / "dataset.json")
    text = (folder / "dataset.json").read_text()
    assert str(tmp_path) not in text
    assert all("sha256_image" in case for case in json.loads(text)["training"])
    assert load_datalist(folder, CLASSES) == add_hashes(sections)
