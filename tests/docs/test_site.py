"""The site of docs/: every page is in it, every link leads somewhere, nothing is asked of the network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from ..conftest import ROOT

ASKED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """Links, fetched addresses and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                (self.asked if (tag, name) in ASKED else self.links).append(value)
            elif name == "id" and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[Path, Page]:
    """Pages of the site; a warning of mkdocs is an error."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return {path: Page(path) for path in folder.rglob("*.html")}


def test_every_page_is_in_the_navigation(pages):
    config = load_config(str(ROOT / "mkdocs.yml"))
    named = re.findall(r"'([\w/.-]+\.md)'", str(config["nav"]))
    cards = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("bundles/*/docs/README.md")]
    written = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert sorted(named) == sorted([*written, *cards, "CONTRIBUTING.md"])
    (index,) = [page for path, page in pages.items() if path.name == "index.html" and "docs" not in path.parts[-3:]]
    links = {link.replace("index.html", "README.html") for link in index.links}
    assert {name.replace(".md", ".html") for name in named} - links == {"index.html"}


def test_every_link_leads_somewhere(pages):
    lost = []
    for path, page in pages.items():
        for link in (*page.links, *page.asked):
            where = urlsplit(link)
            target = (path.parent / unquote(where.path)).resolve() if where.path else path
            if where.scheme or path.name == "404.html":
                continue
            known = target.is_file() and (
                target not in pages or not where.fragment or where.fragment in pages[target].anchors
            )
            lost += [] if known else [f"{path.name}: {link}"]
    assert lost == []


def test_nothing_is_asked_of_the_network(pages):
    assert [link for page in pages.values() for link in page.asked if urlsplit(link).netloc] == []
    folder = min((path.parent for path in pages), key=lambda path: len(path.parts))
    for path in [*folder.rglob("*.css"), *folder.rglob("*.js")]:
        assert not re.search(r"(url\(|@import|fetch\(|importScripts\()\s*['\"]?(https?:)?//", path.read_text()), path


def test_a_link_out_of_the_folder_is_kept_for_the_repository_and_led_to_its_place_in_the_site(pages):
    assert "(../../bundles/hds_inbreast/docs/README.md)" in (ROOT / "docs/how-to/infer.md").read_text()
    (infer,) = [page for path, page in pages.items() if path.name == "infer.html"]
    assert "../bundles/hds_inbreast/docs/index.html" in infer.links
    (card,) = [page for path, page in pages.items() if path.parts[-3:-1] == ("hds_inbreast", "docs")]
    assert {"../../../reference/reader.html", "../configs/cdd_cesm.json"} <= set(card.links)
