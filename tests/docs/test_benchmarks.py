"""The page of benchmarks holds the numbers of its JSON."""

from __future__ import annotations

import json
import subprocess
import sys

from monai_mtl.registry import find_bundles

from ..commands import load_script
from ..conftest import ROOT
from ..every_bundle import every_bundle

DOCS = ROOT / "docs"


def test_the_page_is_what_the_json_gives():
    code = "import json, sys; from bench_page import page; sys.stdout.write(page(json.load(sys.stdin)))"
    content = (DOCS / "benchmarks.json").read_text()
    done = subprocess.run(
        [sys.executable, "-c", code], input=content, cwd=ROOT / "scripts", capture_output=True, text=True, timeout=120
    )
    assert done.stdout == (DOCS / "benchmarks.md").read_text(), done.stderr


def test_a_ratio_is_that_of_the_same_round():
    found = load_script("ratios").median_ratio([1, 20, 3, 40, 5], [1, 10, 1, 10, 1])
    assert found == {"median_ratio": 3, "lower_quartile": 2, "upper_quartile": 4}


def test_every_measurement_is_of_something_that_exists_and_says_where():
    content = json.loads((DOCS / "benchmarks.json").read_text())
    assert set(content) <= {
        "loading",
        "hds_preprocessing",
        "deform_conv",
        "lesion_rcnn",
        *(bundle.name for bundle in find_bundles(ROOT)),
    }
    for entry in content.values():
        assert {"processor", "threads", "versions", "busy"} <= set(entry["setting"])


@every_bundle
def test_every_bundle_was_measured(bundle):
    content = json.loads((DOCS / "benchmarks.json").read_text())
    entry = content.get(bundle.name, {})
    assert set(entry) == {"setting", "eval", "step", "path", "memory"}
    assert all(len(entry[part]["rows"]) > 1 for part in ("eval", "step", "path", "memory"))
