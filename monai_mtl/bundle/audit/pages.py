"""Pages that do nothing: HTML of plain elements, with pictures inside and without scripts, forms or addresses.

A browser forgives what no grammar allows, and two programs then read it differently. So a page is taken apart by a
strict grammar; one that does not fit it is not looked at further.
"""

from __future__ import annotations

import re

from .finding import Finding

__all__ = ["network_faults", "page_faults"]

TOKEN = re.compile(r'<!doctype html>|</([a-z][a-z0-9]*)>|<([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)\s*>|[^<>]+')
ATTRIBUTE = re.compile(r'([a-z-]+)(?:="([^"]*)")?')
ELEMENTS = re.compile(
    "a|article|b|body|br|caption|code|col|colgroup|dd|details|div|dl|dt|em|figcaption|figure|footer|h[1-4]|head|header|hr|html|i|"
    "img|li|link|main|meta|nav|ol|p|pre|section|small|span|strong|style|summary|table|tbody|td|tfoot|th|thead|title|tr|ul"
)
PLAIN = re.compile(
    "alt|charset|class|colspan|decoding|height|id|lang|loading|open|rowspan|scope|title|width|(?:aria|data)-[a-z-]+"
)
VALUES = {
    "href": re.compile(r"#[\w.-]*|data:,"),
    "src": re.compile(r"data:image/(?:gif|jpeg|png|svg\+xml|webp)[^&]*"),
    "rel": re.compile(r"icon"),
    "name": re.compile(r"viewport|robots|generator"),
    "http-equiv": re.compile(r"content-security-policy", re.IGNORECASE),
    "content": re.compile(r"[^&]*"),
}
"""What attributes that a browser acts upon may say."""
FETCHES = re.compile(r"url\s*\(|image-set|@import|expression|[\\&]", re.IGNORECASE)
"""In a style: an address, or a way to hide one."""
DECLARATION = re.compile(
    r"""\A<\?xml version=["']1\.[01]["'](\s+(encoding=["']utf-8["']|standalone=["']\w+["']))*\s*\?>""", re.IGNORECASE
)
OTHER_XML = re.compile(r"<\?[^?]{0,40}|<!(?!--)[^>]{0,40}|\bxmlns\b[^>]{0,40}", re.IGNORECASE)
"""Instructions, declarations, and the namespaces by which a browser knows pages and drawings."""
WHY = "a browser that opens the page acts on it"


def page_faults(name: str, content: bytes) -> list[Finding]:
    """What a page holds that a browser would run, send or fetch.

    Args:
        name: Of the file.
        content: UTF-8.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return [Finding("code", name, "", "a page that is not UTF-8", WHY)]
    found: list[Finding] = []
    place, line, style = 0, 1, False
    while place < len(text):
        token, where = TOKEN.match(text, place), f"line {line}"
        if token is None:
            rest = text[place : place + 40].splitlines()[0]
            return [
                *found,
                Finding("code", name, where, f"no plain element: {rest}", "browsers may read it differently"),
            ]
        place, line = token.end(), line + token[0].count("\n")
        closed, opened, attributes = token.groups()
        if (element := opened or closed) and not ELEMENTS.fullmatch(element):
            found.append(Finding("code", name, where, f"<{element}>", WHY))
        if style and not element and FETCHES.search(token[0]):
            found.append(Finding("network", name, where, "a style with an address or an escape", WHY))
        style = opened == "style" or (style and closed != "style")
        acting = [one[0] for one in ATTRIBUTE.finditer(attributes or "") if not _harmless(one[1], one[2] or "")]
        found += [Finding("code", name, where, one[:80], WHY) for one in acting]
    return found


def network_faults(name: str, content: bytes) -> list[Finding]:
    """What an XML file holds that no network of OpenVINO does: it is a page, or leads to another file.

    Args:
        name: Of the file.
        content: UTF-8.
    """
    try:
        found = OTHER_XML.search(DECLARATION.sub("", content.decode("utf-8"), count=1))
    except UnicodeDecodeError:
        return [Finding("code", name, "", "XML that is not UTF-8", "programs may read it differently")]
    why = "a browser that opens the file acts on it, and a parser may read another file for it"
    return [Finding("code", name, "", found[0], why)] if found else []


def _harmless(attribute: str, value: str) -> bool:
    if attribute == "style":
        return not FETCHES.search(value)
    if attribute in VALUES:
        return VALUES[attribute].fullmatch(value) is not None
    return PLAIN.fullmatch(attribute) is not None
