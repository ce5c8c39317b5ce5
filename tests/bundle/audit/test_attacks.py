"""Each malicious or careless bundle is found, and the harmless one that it is made from is not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from monai_mtl.bundle.audit import audit

from ...conftest import ROOT
from ...every_bundle import every_bundle
from .attacks import ATTACKS, config, harmless


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return harmless(tmp_path_factory.mktemp("audit") / "bundle")


@pytest.fixture
def bundle(template, tmp_path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "bundle"))


def test_the_harmless_bundle_has_no_findings(template):
    assert audit(template) == []


def test_nor_has_it_without_its_imports(bundle):
    config(imports=[])(bundle)
    assert audit(bundle) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [("zip bomb", "bytes out of"), ("zip that climbs", "../../x"), ("zip with a link", "is a link")],
)
def test_what_is_wrong_with_an_archive_is_told_besides_that_it_is_one(bundle, name, what):
    ATTACKS[name](bundle)
    texts = [one.text() for one in audit(bundle)]
    assert len(texts) == 2
    assert sum(what in one for one in texts) == 1


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
