"""The list of bundles is read without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monai_mtl.errors import MissingError
from monai_mtl.registry import find_bundles

from .conftest import ROOT


def test_bundles_are_found_with_state_and_tasks():
    bundles = {bundle.name: bundle for bundle in find_bundles(ROOT)}
    assert bundles["hds_inbreast"].state == "trained"
    assert bundles["hds_inbreast"].tasks == ["seg", "cls"]


def test_a_folder_without_bundles_is_refused(tmp_path):
    with pytest.raises(MissingError, match="no bundles below"):
        find_bundles(tmp_path)


def test_registry_root_and_errors_need_neither_torch_nor_monai():
    code = "import sys, monai_mtl.registry, monai_mtl.bundle.root; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
