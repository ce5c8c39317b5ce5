"""The reference of the verbs says what the command line takes: each verb, each argument, each default."""

from __future__ import annotations

import inspect
import re

import pytest

from monai_mtl.cli import SAME, VERBS

from ..conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "verbs.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^#)", PAGE, re.MULTILINE | re.DOTALL))
ROW = re.compile(r"^\| (`.*?`) \| (.*?) \| (.+) \|$", re.MULTILINE)


def taken(verb: str) -> list[tuple[str, str]]:
    """Arguments of a verb with their defaults, as the page writes them."""
    rows = []
    for name, one in inspect.signature(VERBS[verb]).parameters.items():
        if one.kind is one.VAR_KEYWORD:
            rows.append(("any_setting", "the config's"))
        else:
            needed = one.kind is one.VAR_POSITIONAL or one.default is one.empty
            default = "needed" if needed else "none" if one.default is None else str(one.default)
            rows.append((name.removesuffix("s") if one.kind is one.VAR_POSITIONAL else name, default))
    return rows


def told(verb: str) -> list[tuple[str, str]]:
    """The same as the page says; the first name where there are several."""
    return [(re.findall(r"\w+", cell)[0].lower(), default.strip()) for cell, default, _ in ROW.findall(SECTIONS[verb])]


def test_every_verb_has_a_section_in_the_order_of_the_command():
    assert list(SECTIONS) == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_and_default_is_told(verb):
    assert told(verb) == taken(verb)


def test_other_names_are_told():
    for verb, names in SAME.items():
        for other, name in names.items():
            assert re.search(rf"`{name} \w+`, `{other} \w+`", SECTIONS[verb])
