"""One flipped bit in a config or code file is refused by name; other weights are told, not refused."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from monai_mtl.bundle.manifest import MANIFEST, check_manifest, compare_manifest, write_manifest
from monai_mtl.bundle.opening import open_bundle
from monai_mtl.errors import ConfigError, MissingError

from ..conftest import ROOT


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "acsnet_busi"
    shutil.copytree(
        ROOT / "bundles" / "acsnet_busi", folder, ignore=shutil.ignore_patterns("models", "eval", "predictions")
    )
    for name, content in (
        ("scripts/__init__.py", "# empty\n"),
        ("scripts/net.py", "x = 1\n"),
        ("models/model.pt", "w"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    write_manifest(folder)
    return folder


def flip(path, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1 << bit
    path.write_bytes(content)


def test_a_flipped_bit_in_any_file_is_refused_by_name(packed):
    assert check_manifest(packed) == []
    files = [path for path in packed.rglob("*") if path.is_file() and path.name not in (MANIFEST, "model.pt")]
    assert len(files) > 60
    for path in files:
        flip(path)
        with pytest.raises(ConfigError, match="is not what its MANIFEST") as raised:
            check_manifest(packed)
        assert raised.value.where == [f"changed: {path.relative_to(packed).as_posix()}"]
        flip(path)
    assert check_manifest(packed) == []


def test_trained_weights_are_told_and_not_refused(packed):
    flip(packed / "models" / "model.pt")
    (packed / "models" / "model_last.pt").write_text("state")
    (packed / "eval").mkdir()
    (packed / "eval" / "report.json").write_text("{}")
    assert check_manifest(packed) == ["models/model.pt"]
    (packed / "models" / "model.pt").unlink()
    assert check_manifest(packed) == ["models/model.pt"]


@pytest.mark.parametrize(
    "name",
    [
        "scripts/more.py",
        "configs/more.json",
        "configs/more/x.yaml",
        "torch.py",
        "torch/__init__.py",
        "models/x.py",
        "x.conf",
        "scripts/net.pyc",
        "torch.pyc",
        "scripts/__pycache__/more.pyc",
        "models/__pycache__/torch.pyc",
        "torch.pyw",
    ],
)
def test_an_added_config_or_code_file_is_refused(packed, name):
    (packed / name).parent.mkdir(exist_ok=True, parents=True)
    (packed / name).write_text("{}")
    with pytest.raises(ConfigError) as raised:
        check_manifest(packed)
    assert raised.value.where == [f"added: {name}"]


def test_what_python_caches_beside_its_sources_is_no_change(packed):
    (packed / "scripts" / "__pycache__").mkdir()
    for name in ("net.cpython-311.pyc", "net.cpython-311.opt-1.pyc"):
        (packed / "scripts" / "__pycache__" / name).write_bytes(b"")
    assert check_manifest(packed) == []


def test_a_missing_file_is_refused(packed):
    (packed / "configs" / "train.json").unlink()
    assert compare_manifest(packed).missing == ["configs/train.json"]
    with pytest.raises(ConfigError, match="MANIFEST"):
        check_manifest(packed)


@pytest.mark.parametrize(
    "content", ["", "abc  x\n", f"{'0' * 64}  ../x\n", f"{'0' * 64}  x\n{'1' * 64}  x\n", b"\xff\xfe"]
)
def test_a_manifest_that_cannot_be_read_is_refused(packed, content):
    (packed / MANIFEST).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError):
        check_manifest(packed)


def test_a_folder_without_one_passes_and_a_link_cannot_be_listed(packed, tmp_path):
    (packed / MANIFEST).unlink()
    assert check_manifest(packed) == []
    with pytest.raises(MissingError, match=r"has no MANIFEST\.sha256"):
        compare_manifest(packed)
    (packed / "docs" / "link.md").symlink_to(packed / "docs" / "README.md")
    with pytest.raises(ConfigError, match="links"):
        write_manifest(packed)


def test_no_config_is_parsed_before_the_manifest_is_checked(packed):
    (packed / "configs" / "inference.json").write_text("{this is no JSON")
    with pytest.raises(ConfigError, match="is not what its MANIFEST"):
        open_bundle(packed, ["inference.json"], {})


def test_sha256sum_reads_it_and_it_needs_no_torch(packed):
    done = subprocess.run(["sha256sum", "--check", "--quiet", MANIFEST], cwd=packed, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    code = "import sys, monai_mtl.bundle.manifest; print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
