"""One thread, one seed, no handlers left by another test, slow tests on request."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.utils import set_determinism

torch.set_num_threads(1)
DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = {
        "slow": config.getoption("--runslow"),
        "dciodvfy": shutil.which("dciodvfy") is not None,
        "gpu": torch.cuda.is_available(),
        "realdata": "MONAI_MTL_DATA" in os.environ,
    }
    left_out = [item for item in items if any(name in item.keywords and not wanted for name, wanted in chosen.items())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _seed() -> None:
    set_determinism(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _no_handler_left() -> Iterator[None]:
    """A bundle's logging.conf writes to the stdout of its test, which is closed in the next one."""
    root = logging.getLogger()
    level = root.level
    yield
    root.level = level
    root.handlers = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]
