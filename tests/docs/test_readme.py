"""What the documents promise exists: commands, links, states."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_mtl.bundle.settings import check_settings
from monai_mtl.cli import SAME, VERBS
from monai_mtl.data.importers import IMPORTERS
from monai_mtl.registry import find_bundles

from ..conftest import ROOT

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("bundles/*/docs/*.md")]
)
RUN = re.compile(r"^(?:torchrun.*)?\S*python -m monai\.bundle run.*$|^torchrun.*monai\.bundle run.*$", re.MULTILINE)

FIGURE = re.compile(r"(\d\.\d{3}) \((\d\.\d{3}) to (\d\.\d{3})")
VERB = re.compile(r"^(?:monai-mtl|python -m monai_mtl) (.*)$", re.MULTILINE)


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    local = [link for link in links if link and not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_name_configs_and_settings_that_exist(page):
    for line in RUN.findall(page.read_text().replace("\\\n", " ")):
        configs = re.findall(r"[\w./-]+\.json", line)
        own = page.parents[1]
        bundle = own if own.parent == ROOT / "bundles" else ROOT / "bundles" / "hds_inbreast"
        files = [str(ROOT / c if (ROOT / c).is_file() else bundle / c) for c in configs]
        assert configs, line
        names = [name for name in re.findall(r"--([\w#]+)", line.split("monai.bundle run")[1]) if name != "config_file"]
        assert check_settings(ConfigParser.load_config_files(files), [n for n in names if n != "bundle_root"]) is None


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_verbs_name_options_and_settings_that_exist(page):
    for line in VERB.findall(page.read_text().replace("\\\n", " ")):
        verb, *words = shlex.split(line, comments=True)
        options = [word[2:] for word in words if word.startswith("--")]
        options = [SAME.get(verb, {}).get(f"--{name}", f"--{name}")[2:] for name in options]
        arguments = inspect.signature(VERBS[verb]).parameters
        settings = [name for name in options if name not in arguments]
        if settings:
            assert "settings" in arguments, line
            config = "inference.json" if verb == "infer" else "train.json"
            file = ROOT / "bundles" / words[0] / "configs" / config
            assert check_settings(ConfigParser.load_config_files(str(file)), settings) is None


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_nothing_is_left_to_write(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^[A-Z]{3,}$|TODO|TBD|lorem", text, re.MULTILINE) == []


def test_the_first_screen_shows_how_to_train_evaluate_and_predict():
    first = (ROOT / "README.md").read_text().split("| bundle |")[0]
    assert [line.split()[0] for line in VERB.findall(first)] == ["train", "evaluate", "infer"]
    assert "docs/images/demo.png" in first


def test_every_verb_has_a_row():
    page = (ROOT / "docs" / "reference" / "verbs.md").read_text()
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    assert set(VERBS) <= {word for cell in cells for word in re.findall(r"`([a-z]+)", cell)}


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named == {"demo", "test"}
    assert named <= targets


def test_the_table_of_bundles_tells_their_state():
    readme = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[(\w+)\].*\| (\w+) \|$", readme, re.MULTILINE))
    assert rows == {bundle.name: bundle.state for bundle in find_bundles(ROOT)}


def test_figures_of_the_table_stand_in_the_cards():
    rows = re.findall(r"^\| \[(\w+)\]\((\S+)\)(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for name, card, row in rows:
        text = (ROOT / card).read_text()
        figures = [f"{value} | {low} to {high}" for value, low, high in FIGURE.findall(row)]
        assert len(figures) == 2, name
        assert [figure for figure in figures if f"| {figure} |" not in text] == [], name


def test_versions_agree():
    import monai_mtl

    assert f"## [{monai_mtl.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {monai_mtl.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    for bundle in find_bundles(ROOT):
        assert bundle.metadata["required_packages_version"]["monai-mtl"] == monai_mtl.__version__


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_results_that_pages_show_are_of_this_version_of_the_bundle(page):
    versions = {bundle.name: bundle.metadata["version"] for bundle in find_bundles(ROOT)}
    shown = re.findall(r'"bundle": "(\w+)",\s*"bundle_version": "([^"]*)"', page.read_text())
    assert all(versions[name] == version for name, version in shown)


def test_the_table_of_data_sets_has_the_options_of_every_importer():
    rows = [line.split("|") for line in (ROOT / "docs/reference/datasets.md").read_text().splitlines()]
    told = [set(re.findall(r"`(\w+)`:", row[3])) for row in rows if len(row) > 7]
    for importer in IMPORTERS:
        options = set(inspect.signature(importer.read).parameters) - {"folder"}
        assert options in told, importer.__name__
