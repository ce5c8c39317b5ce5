"""Hooks of mkdocs: files that pages link to outside docs/ come along, and links lead to them there.

So a link is written as it works in the repository, such as ``../bundles/hds_inbreast/docs/README.md``.
"""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(\]\()([^)\s#:]+)(?=[)#])")
DOCS = "docs/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside docs/, and what those pages link to."""
    left = [file for file in files if file.is_documentation_page()]
    while left:
        page = left.pop()
        for _, link in LINK.findall(page.content_string):
            place = _place(page.src_uri, link)
            path = f"{dirname(config.config_file_path)}/{place}"
            if files.get_file_from_path(place) is None and not _repository(page.src_uri, link).startswith(DOCS):
                added = File.generated(config, place, abs_src_path=path)
                files.append(added)
                left += [added] if added.is_documentation_page() else []
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Write links as they are in the site."""
    here = page.file.src_uri
    return LINK.sub(lambda found: found[1] + relpath(_place(here, found[2]), dirname(here) or "."), markdown)


def _repository(page: str, link: str) -> str:
    """Path in the repository of what a page of the site links to."""
    inside = page.split("/")[0] not in ("bundles", "CONTRIBUTING.md")
    return normpath(join(DOCS if inside else "", dirname(page), link))


def _place(page: str, link: str) -> str:
    """Path in the site of the same."""
    return _repository(page, link).removeprefix(DOCS)
