"""What is asked of any bundle is asked of every bundle that the registry finds."""

from __future__ import annotations

import pytest

from monai_mtl.registry import find_bundles

from .conftest import ROOT

__all__ = ["BUNDLES", "NAMES", "every_bundle"]

BUNDLES = find_bundles(ROOT)
NAMES = [bundle.name for bundle in BUNDLES]
every_bundle = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
