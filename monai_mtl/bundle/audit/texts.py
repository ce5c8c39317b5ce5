"""What a plain text of a config gives away: paths, addresses, characters that deceive."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["hidden", "path_fault", "relative_id", "turned"]

ABSOLUTE = re.compile(r"(/+\w|~|[A-Za-z]:[\\/]|\\\\)")
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
CODE = re.compile(r"\S*\.(py[cdw]?|so|dll|dylib|exe|sh|bat|cmd|ps1)", re.IGNORECASE)
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")


def path_fault(text: str, joined: bool = False) -> tuple[str, str] | None:
    """Kind of a finding and its reason, for a text that leads out of the bundle.

    Args:
        text: Any text.
        joined: Whether it is put behind a folder, as in ``@bundle_root + '/models'``.
    """
    if ADDRESS.match(text.strip()):
        return "network", "an address: a run of the bundle may fetch from it or send to it"
    if "\n" in text or len(text) > 4096:
        return None
    if ".." in re.split(r"[\\/]", text):
        return "file", "the path climbs out of its folder"
    if ".git" in re.split(r"[\\/]", text):
        return "file", "a path into git's folder, which is not looked at"
    if CODE.fullmatch(text):
        return "file", "a name of code: what is written to it may run later, and what lies there may run now"
    if not joined and ABSOLUTE.match(text):
        return "file", "a path of one machine, outside the bundle"
    return None


def hidden(text: str) -> str | None:
    """Why characters of a text deceive, if they do: invisible ones, or those that Python reads as others.

    Args:
        text: A key, a name or an expression.
    """
    if bad := sorted({f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in ("Cf", "Co", "Cn", "Cs")}):
        return f"invisible characters {', '.join(bad)}"
    return None


def turned(text: str) -> str | None:
    """Why a comment reads otherwise than it is written, if it does; invisible characters of emoji may stand there.

    Args:
        text: For people.
    """
    if any(unicodedata.bidirectional(c) in TURNING for c in text):
        return "characters that turn the order of others around"
    return None


def relative_id(place: str, text: str) -> str:
    """The text as MONAI evaluates it: ``#`` is ``::``, and ``@##key`` is relative to where it stands.

    Args:
        place: Identifier of the text in its config, with ``::``.
        text: Of the config.
    """
    text = text.replace("#", "::")
    parts = place.split("::")
    for prefix in sorted(set(re.findall(r"(?:@|%)(?:::)+", text)), reverse=True):
        level = prefix.count("::")
        above = "::".join(parts[:-level]) + "::" if level < len(parts) else ""
        text = text.replace(prefix, prefix[0] + above)
    return text
