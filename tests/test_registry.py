"""The list of bundles is read without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monai_mtl.errors import ConfigError, MissingError
from monai_mtl.registry import Bundle, find_bundles, read_bundle

from .conftest import ROOT


def test_bundles_are_found_with_state_and_tasks():
    bundles = {bundle.name: bundle for bundle in find_bundles(ROOT)}
    assert bundles["hds_inbreast"].state == "trained"
    assert bundles["hds_inbreast"].tasks == ["seg", "cls"]


def test_a_folder_without_bundles_is_refused(tmp_path):
    with pytest.raises(MissingError, match="no bundles below"):
        find_bundles(tmp_path)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(MissingError, match="is no bundle"):
        read_bundle(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("{")
    with pytest.raises(ConfigError, match="holds no JSON"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\n  Apache License\n  Version 2.0, January 2004\n", "Apache License Version 2.0"),
        ("MIT License\n\nCopyright (c) somebody\n", "MIT License"),
        ("", "not stated"),
    ],
)
def test_a_licence_is_called_what_it_calls_itself(tmp_path, text, name):
    (tmp_path / "LICENSE").write_text(text)
    assert Bundle("mine", tmp_path, {}).licence == name


def test_registry_root_and_errors_need_neither_torch_nor_monai():
    code = "import sys, monai_mtl.registry, monai_mtl.bundle.root; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
