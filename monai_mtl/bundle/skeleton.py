"""A new bundle that runs at once as another one does, with what its author has to replace marked."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from ..errors import ConfigError, MissingError
from ..registry import read_bundle

__all__ = ["FAILING", "MARK", "make_skeleton"]

MARK = "REPLACE"
"""Stands before every text that the author has to write."""
FAILING = (
    "tests/bundles/test_all_bundles.py::test_nothing_is_left_to_replace[{name}]",
    "tests/bundles/test_all_bundles.py::test_metadata_is_valid_and_its_version_is_in_the_changelog[{name}]",
    "tests/bundle/test_pack.py::test_a_packed_folder_is_complete_and_has_no_findings[{name}]",
    "tests/docs/test_benchmarks.py::test_every_bundle_was_measured[{name}]",
    "tests/docs/test_readme.py::test_the_table_of_bundles_tells_their_state",
    "tests/docs/test_site.py::test_every_page_is_in_the_navigation",
)
"""Tests that fail until the marked parts are written and the bundle has a state, figures and a place in the pages."""
OUTPUTS = ("models", "eval", "predictions", "cache", "shipped*.json", "*.pt", "docs")
WORDS = {
    "name": "name of the method: what it does on which images",
    "task": "what it tells of an image, in a sentence",
    "description": "the network and what is new about it, in a sentence",
    "authors": "who wrote the bundle; method by whom",
    "copyright": "Copyright (c) whom",
    "data_source": "data of the method's paper. Sample data: which, doi, licence",
}
CARD = """# {mark}: name of the method
{mark}: one sentence: what goes in, what comes out.

**State: skeleton.** Copied from [{like}](../../{like}/docs/README.md); nothing of this method is here yet.

Research use, not a medical device.

## The method
{mark}: paper, idea, differences between paper, authors' code and this bundle.

## Data
{mark}: sample data with licence; which sets it reads.

## Limits
{mark}: what it must not be used for, and what is not known.
"""


def make_skeleton(name: str, like: Path, parent: Path) -> Path:
    """Copy a bundle under another name and mark what has to be replaced.

    Args:
        name: Of the new bundle: small letters, digits and underscores, such as ``method_dataset``.
        like: Folder of the bundle that is copied; what it wrote and its weights are left out.
        parent: Folder to make it in.

    Returns:
        The new folder.

    Raises:
        ConfigError: If the name cannot be a bundle's, or is taken.
        MissingError: If there is no bundle to copy, or no folder to make it in.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        expected, fix = "small letters, digits and _, a letter first", "choose another, such as method_dataset"
        raise ConfigError(f"'{name}' cannot name a bundle", expected=expected, fix=fix)
    if bad := [word for word in ("detection", "deepedit", "deepgrow") if word in name]:
        raise ConfigError(f"MONAI Label would take '{name}' for a model of {bad[0]}", fix="choose another name")
    source, target = read_bundle(like), parent / name
    if not parent.is_dir():
        raise MissingError(f"no folder {parent}", fix="run from the repository root")
    if target.exists():
        raise ConfigError(f"there is a {target} already", fix="choose another name, or remove it")
    shutil.copytree(like, target, ignore=shutil.ignore_patterns(*OUTPUTS))
    for file in (target / "configs").rglob("*.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f'"{source.name}"', f'"{name}"'), encoding="utf-8")
    content = dict(source.metadata) | {key: f"{MARK}: {text}" for key, text in WORDS.items()}
    content |= {"version": "0.1.0", "changelog": {"0.1.0": f"{MARK}: what it can do"}, "state": "skeleton"}
    content |= {"references": [f"{MARK}: the paper"], "eval_metrics": dict.fromkeys(content["eval_metrics"])}
    content.pop("resources", None)
    (target / "configs" / "metadata.json").write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    docs = target / "docs"
    docs.mkdir()
    (docs / "README.md").write_text(CARD.format(mark=MARK, like=source.name), encoding="utf-8")
    terms = like / "docs" / "data_license.txt"
    known = terms.read_text(encoding="utf-8") if terms.is_file() else ""
    head = f"{MARK}: terms of the sample data; those below are of {source.name}."
    (docs / "data_license.txt").write_text(f"{head}\n\n{known}", encoding="utf-8")
    return target
