"""Each malicious or careless bundle is found, and the harmless one that it is made from is not."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from monai_mtl.bundle.audit import audit
from monai_mtl.bundle.audit.archives import tar_faults

from ...conftest import ROOT
from ...every_bundle import every_bundle
from .attacks import ATTACKS, config


def test_the_harmless_bundle_has_no_findings(template):
    assert audit(template) == []


def test_nor_has_it_without_its_imports(bundle):
    config(imports=[])(bundle)
    assert audit(bundle) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("zip bomb", "bytes out of"),
        ("zip that climbs", "../../x"),
        ("zip with a link", "is a link"),
        ("tar bomb", "unpacks to far more"),
        ("tar that climbs", "../../x"),
        ("tar with a link", "inside is a link"),
        ("tar with a hard link", "inside is a link"),
        ("tar with a device", "inside is a device"),
    ],
)
def test_what_is_wrong_with_an_archive_is_told_besides_that_it_is_one(bundle, name, what):
    ATTACKS[name](bundle)
    texts = [one.text() for one in audit(bundle)]
    assert len(texts) == 2
    assert sum(what in one for one in texts) == 1
    assert sum("an archive in the bundle\n  what it holds is not looked at" in one for one in texts) == 1


@pytest.mark.parametrize("name", ["tar", "archive that is none"])
def test_of_other_archives_only_that_they_are_there_is_told(bundle, name):
    ATTACKS[name](bundle)
    (found,) = audit(bundle)
    assert (found.kind, found.what) == ("archive", "an archive in the bundle")


@pytest.mark.parametrize(
    ("name", "place", "why"),
    [
        ("linked folder", "cv2", "a linked folder"),
        ("linked folder of git's", "cv2", "a linked folder"),
        ("scripts that are a linked folder", "scripts", "a linked folder"),
        ("folder linked to from its code", "scripts/__init__.py", "a linked folder"),
        ("git's folder that is a link", ".git", "a linked folder"),
        ("linked folder outside", "scripts", "it leaves the bundle"),
        ("link that leaves", "configs/hosts.json", "it leaves the bundle"),
        ("link to what is not there yet", "configs/more.json", "it leads nowhere"),
        ("links in a circle", "configs/more.json", "it leads nowhere"),
    ],
)
def test_a_link_is_told_as_what_it_is(bundle, name, place, why):
    ATTACKS[name](bundle)
    (found,) = audit(bundle)
    assert (found.kind, found.file) == ("file", place)
    assert found.why.startswith(why)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_a_damaged_archive_is_a_finding_whatever_is_damaged(tmp_path, kind):
    noise, place = random.Random(3), tmp_path / f"data.tar.{kind}"
    with tarfile.open(place, f"w:{kind}") as archive:
        for i in range(3):
            info = tarfile.TarInfo(f"{i}")
            info.size = 2000
            archive.addfile(info, io.BytesIO(noise.randbytes(info.size)))
    content = place.read_bytes()
    for _ in range(30):
        damaged = bytearray(content)
        damaged[noise.randrange(len(content))] ^= 1 << noise.randrange(8)
        faults = tar_faults(io.BytesIO(damaged), "data.tar")
        assert all(one.kind == "archive" and one.what.startswith("cannot be read") for one in faults)


def test_a_site_file_is_told_apart_from_weights(bundle):
    ATTACKS["site file"](bundle)
    assert ("code", "lines of a site file") in {(one.kind, one.what) for one in audit(bundle)}


def test_git_is_skipped_at_the_root_only_and_a_linked_file_is_looked_at(bundle):
    (bundle / ".git").mkdir()
    (bundle / ".git" / "config").write_text("[core]")
    (bundle / "configs" / "same.json").symlink_to("inference.json")
    assert audit(bundle) == []
    ATTACKS["code called git's"](bundle)
    assert {one.file for one in audit(bundle)} == {"scripts/.git/__init__.py"}


def test_a_folder_that_cannot_be_read_is_said(bundle, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "docs":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (found,) = audit(bundle)
    assert (found.file, found.what) == ("docs", "cannot be read: Permission denied")


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_found(bundle, name):
    ATTACKS[name](bundle)
    begun = time.process_time()
    found = audit(bundle)
    assert found, name
    assert time.process_time() - begun < 1
    assert all(one.what and one.why and one.fix and one.file for one in found)
    assert not any(char in one.text() for one in found for char in "\u202e\u200b\x1b")


@every_bundle
def test_our_own_bundles_have_none(bundle):
    assert [one.text() for one in audit(bundle.folder)] == []


def test_it_starts_without_torch_and_takes_less_than_a_second():
    code = """
import sys, time
begun = time.process_time()
from monai_mtl.bundle.audit import audit
found = audit("bundles/ynet_biopsy")
print(found, sorted({"torch", "monai", "numpy"} & set(sys.modules)), time.process_time() - begun < 1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[] [] True"


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
    return target


@pytest.mark.parametrize("name", ["os.system", "pickle in model.pt", "logging class", "script", "overlay key"])
def test_an_archive_is_looked_into_without_unpacking(bundle, tmp_path, name):
    assert audit(zipped(bundle, tmp_path / "good.zip")) == []
    ATTACKS[name](bundle)
    folder, archive = audit(bundle), audit(zipped(bundle, tmp_path / "bad.zip"))
    assert [one.text() for one in archive] == [one.text() for one in folder]
    shutil.make_archive(str(tmp_path / "bad"), "gztar", bundle)
    assert {one.what for one in audit(tmp_path / "bad.tar.gz")} == {one.what for one in folder}


def test_a_file_that_cannot_be_read_is_said(bundle, monkeypatch):
    def refuse(path: Path):
        if path.name == "inference.json":
            raise PermissionError(13, "Permission denied")
        return path.open("rb")

    monkeypatch.setattr("monai_mtl.bundle.audit.sources._opened", refuse)
    (found,) = audit(bundle)
    assert (found.kind, found.what) == ("config", "cannot be read: Permission denied")


def test_names_of_files_cannot_drive_a_terminal(bundle):
    (bundle / "x\x1b[2Jy.xyz").write_text("")
    (found,) = audit(bundle)
    assert "\x1b" not in found.text()
    assert "\\u001b" in found.text()
