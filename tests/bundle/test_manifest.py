"""One flipped bit in a config or code file is refused by name; other weights are told, not refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from monai_mtl import cli
from monai_mtl.bundle.manifest import MANIFEST, check_manifest, compare_manifest, write_manifest
from monai_mtl.bundle.opening import open_bundle
from monai_mtl.bundle.running import run_configs
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
        "scripts/more.PY",
        "Configs/more.json",
    ],
)
def test_an_added_config_or_code_file_is_refused(packed, name):
    (packed / name).parent.mkdir(exist_ok=True, parents=True)
    (packed / name).write_text("{}")
    with pytest.raises(ConfigError) as raised:
        check_manifest(packed)
    assert raised.value.where == [f"added: {name}"]


@pytest.mark.parametrize("name", ["cv2", "scripts/more", "configs/more"])
@pytest.mark.parametrize("target", ["elsewhere", "later", "a file"])
def test_an_added_link_is_refused(packed, tmp_path, name, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a file").write_text("")
    (packed / name).symlink_to(tmp_path / target)
    with pytest.raises(ConfigError) as raised:
        check_manifest(packed)
    assert raised.value.where == [f"added: {name}"]


def test_what_runs_write_may_lie_elsewhere_and_code_may_not(packed, tmp_path):
    (packed / "predictions").symlink_to(tmp_path)
    (packed / "sample_data" / "more.png").symlink_to(tmp_path / "more.png")
    shutil.move(packed / "models", tmp_path / "models")
    (packed / "models").symlink_to(tmp_path / "models")
    assert check_manifest(packed) == ["models/model.pt"]
    shutil.move(packed / "scripts", tmp_path / "scripts")
    (packed / "scripts").symlink_to(tmp_path / "scripts")
    assert compare_manifest(packed).missing == ["scripts/__init__.py", "scripts/net.py"]


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


ODD = ["a\rb", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "a\u200bb", "a\nb", "a\\b", "a\udcffb"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_a_name_that_ends_a_line_somewhere_is_not_written_and_found_where_it_was_added(packed, odd):
    name = f"scripts/{odd}.py"
    (packed / name).write_text("")
    with pytest.raises(ConfigError, match="such names") as raised:
        write_manifest(packed)
    assert raised.value.where == [ascii(name)]
    assert compare_manifest(packed).added == [name]


@pytest.mark.parametrize("odd", ODD[1:6], ids=ascii)
def test_a_manifest_of_another_program_is_read_line_by_line_as_sha256sum_reads_it(packed, odd):
    (packed / "docs" / odd).write_text("x")
    done = subprocess.run(["sha256sum", f"docs/{odd}"], cwd=packed, capture_output=True, check=True)
    with (packed / MANIFEST).open("ab") as file:
        file.write(done.stdout)
    assert check_manifest(packed) == []
    flip(packed / "docs" / odd)
    assert compare_manifest(packed).changed == [f"docs/{odd}"]


def test_an_ending_of_lines_of_another_system_is_not_read(packed):
    (packed / MANIFEST).write_bytes((packed / MANIFEST).read_bytes().replace(b"\n", b"\r\n"))
    assert compare_manifest(packed).missing, "the names end with a carriage return"


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


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["train", "--recipe", "demo"],
        ["evaluate"],
        ["demo"],
        ["crossval", "--quick"],
        ["ablate", "--quick"],
        ["check", "--data", "sample_data"],
        ["infer", "sample_data/images", "out"],
    ],
    ids=" ".join,
)
def test_each_verb_refuses_before_it_parses_a_config(packed, capsys, monkeypatch, words):
    monkeypatch.chdir(packed)
    for name in ("train", "inference", "demo"):
        (packed / "configs" / f"{name}.json").write_text("{this is no JSON")
    verb, *options = words
    bundle = ["--bundle", str(packed)] if verb == "check" else [str(packed)]
    with pytest.raises(SystemExit) as left:
        cli.main([verb, *bundle, *options])
    assert left.value.code == 2
    assert "is not what its MANIFEST.sha256 says" in capsys.readouterr().err


def test_configs_run_after_a_training_in_the_folder_and_not_after_a_change(packed, caplog):
    config = {"bundle_root": ".", "initialize": [], "run": ["$print('it runs')"]}
    (packed / "configs" / "tiny.json").write_text(json.dumps(config))
    write_manifest(packed)
    files = [packed / "configs" / "tiny.json"]
    run_configs(files, {}, own_logging=False)
    assert "retrained" not in caplog.text
    flip(packed / "models" / "model.pt")
    with caplog.at_level("INFO", "monai_mtl"):
        run_configs(files, {}, own_logging=False)
    assert "retrained since the bundle was packed: models/model.pt" in caplog.text
    flip(packed / "configs" / "train.json")
    with pytest.raises(ConfigError, match="is not what its MANIFEST"):
        run_configs(files, {}, own_logging=False)


def test_sha256sum_reads_it_and_it_needs_no_torch(packed):
    done = subprocess.run(["sha256sum", "--check", "--quiet", MANIFEST], cwd=packed, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    code = "import sys, monai_mtl.bundle.manifest; print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
