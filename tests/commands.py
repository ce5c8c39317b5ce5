"""The command, and the programs of maintainers, called as functions."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from monai_mtl import cli

from .conftest import ROOT

__all__ = ["command", "load_script"]


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run a verb; its exit code, and what it wrote to stdout and stderr.

    Args:
        capsys: Of the test.
        words: After ``monai-mtl``.
    """
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in words])
    return left.value.code, *capsys.readouterr()


def load_script(name: str) -> ModuleType:
    """A file of ``scripts/`` as a module, without running it as a program.

    Args:
        name: Without ``.py``.
    """
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
