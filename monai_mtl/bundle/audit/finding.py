"""What an audit says of one place of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

__all__ = ["FIXES", "Finding", "Report"]

Report = Callable[[str, str, str], None]
"""Takes the kind, what and why of a finding, where the place is known."""

FIXES = {
    "archive": "unpack it yourself with limits, and audit the folder",
    "code": "read the code, and run it only if you trust who wrote it; --allow FILE takes its digest",
    "command": "remove it; run nothing of this bundle before you know why it is there",
    "config": "correct the file",
    "file": "keep to files inside the bundle, named relative to it",
    "network": "bring the file with the bundle, or fetch it yourself and compare its digest",
    "pickle": "do not load the file; ask for safetensors, or for a state dict that weights_only loads",
    "text": "write it in plain characters",
    "unknown": "read what it does; if it is harmless, name it in a file for --allow",
}
"""What to do, by kind of finding."""


@dataclass(frozen=True)
class Finding:
    """One thing that a bundle should not hold, or that cannot be told from outside.

    Args:
        kind: Key of :data:`FIXES`. ``command`` is what runs commands or text as code, ``unknown`` what no list allows.
        file: Path inside the bundle.
        place: Identifier in the config as MONAI writes it (``train#handlers#0``), a line, or "".
        what: What stands there.
        why: What it could do.
    """

    kind: str
    file: str
    place: str
    what: str
    why: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return FIXES[self.kind]

    def text(self) -> str:
        """Two lines for people."""
        where = _shown(f"{self.file}: {self.place}" if self.place else self.file)
        return f"{self.kind}: {where}\n  {_shown(self.what)}\n  {self.why}; {self.fix}"

    def to_json(self) -> dict[str, str]:
        """The fields and the fix, as plain text."""
        return {**{name: _shown(value) for name, value in asdict(self).items()}, "fix": self.fix}


def _shown(text: str, most: int = 200) -> str:
    """Text that cannot drive a terminal or hide in one, cut to a line."""
    plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return plain if len(plain) <= most else plain[:most] + "..."
