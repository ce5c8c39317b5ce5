"""What runs of a packed bundle is the source that was checked, whatever lies in ``__pycache__``."""

from __future__ import annotations

import importlib.util
import json
import marshal
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_mtl.bundle import packed_code
from monai_mtl.bundle.manifest import write_manifest
from monai_mtl.bundle.opening import component, open_bundle
from monai_mtl.bundle.packed_code import admit
from monai_mtl.errors import ConfigError

SOURCE = "class Net:\n    def __init__(self, **_): self.said = 'checked'\n"
CONFIG = {
    "bundle_root": ".",
    "network_def": {"_target_": "scripts.net.Net"},
    "initialize": [],
    "run": ["$@network_def.said"],
}


@pytest.fixture
def packed(tmp_path, monkeypatch) -> Path:
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.setattr(packed_code, "_folders", set())
    folder = tmp_path / "bundle"
    for name in ("configs", "scripts"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(CONFIG))
    (folder / "configs" / "metadata.json").write_text('{"version": "1"}')
    (folder / "scripts" / "__init__.py").write_text("")
    (folder / "scripts" / "net.py").write_text(SOURCE)
    write_manifest(folder)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]


def plant(folder: Path, checked: bool) -> None:
    """Code that says something else, in a cache that Python takes for that of net.py."""
    source = folder / "scripts" / "net.py"
    code = marshal.dumps(compile(SOURCE.replace("checked", "planted"), str(source), "exec"))
    stat = source.stat()
    numbers = (0, int(stat.st_mtime), stat.st_size) if checked else (1, 0, 0)
    head = importlib.util.MAGIC_NUMBER + b"".join(number.to_bytes(4, "little") for number in numbers)
    place = Path(importlib.util.cache_from_source(str(source)))
    place.parent.mkdir()
    place.write_bytes(head + code)


@pytest.mark.parametrize("checked", [True, False], ids=["date and size of the source", "not to be compared"])
def test_a_planted_cache_does_not_run(packed, checked):
    plant(packed, checked)
    say = "import sys; sys.path.insert(0, sys.argv[1]); from scripts.net import Net; print(Net().said)"
    done = subprocess.run([sys.executable, "-c", say, str(packed)], capture_output=True, text=True, check=True)
    assert done.stdout == "planted\n", "Python itself takes it"

    parser = open_bundle(packed, ["inference.json"], {})
    sys.path.insert(1, str(packed))

    assert component(parser, "network_def").said == "checked"


def test_code_of_a_folder_that_was_imported_from_before_is_read_from_source_too(packed, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    sys.path.insert(1, str(packed))
    import scripts  # noqa: F401

    shutil.rmtree(packed / "scripts" / "__pycache__")
    plant(packed, checked=True)
    admit(packed)
    from scripts.net import Net

    assert Net().said == "checked"


def test_nothing_is_written_beside_the_sources_and_no_other_kind_of_module_is_found(packed, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    parser = open_bundle(packed, ["inference.json"], {})
    sys.path.insert(1, str(packed))
    assert component(parser, "network_def").said == "checked"
    assert not list(packed.rglob("__pycache__"))
    (packed / "more.pyc").write_bytes(b"")
    assert importlib.util.find_spec("more") is None


def test_other_folders_and_bundles_without_a_manifest_are_imported_from_as_ever(packed, tmp_path):
    (tmp_path / "beside_packed.py").write_text("")
    admit(packed)
    with pytest.raises(ImportError, match="not of a packed bundle"):
        packed_code._finder(str(tmp_path))
    sys.path.insert(0, str(tmp_path))
    assert not isinstance(importlib.util.find_spec("beside_packed").loader, packed_code.SourceLoader)
    (packed / "MANIFEST.sha256").unlink()
    packed_code._folders.clear()
    assert admit(packed) == []
    assert packed_code._folders == set()


def test_a_changed_source_is_refused(packed):
    (packed / "scripts" / "net.py").write_text(SOURCE.replace("checked", "planted"))
    with pytest.raises(ConfigError, match="is not what its MANIFEST"):
        admit(packed)
    assert packed_code._folders == set()
