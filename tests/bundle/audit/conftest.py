"""A harmless bundle, and a copy of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .attacks import harmless


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return harmless(tmp_path_factory.mktemp("audit") / "bundle")


@pytest.fixture
def bundle(template, tmp_path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "bundle"))
