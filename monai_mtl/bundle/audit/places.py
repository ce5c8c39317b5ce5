"""Where files of a bundle lie: other programs run what they find under names of their own."""

from __future__ import annotations

from collections.abc import Collection

from .finding import Finding

__all__ = ["place_fault"]

LISTS = "large_files."
OWN = {"configs", "scripts", "models"}


def place_fault(name: str, configs: Collection[str], bare: Collection[str]) -> Finding | None:
    """What is wrong with the place of a file.

    Args:
        name: Path inside the bundle.
        configs: Suffixes of configs.
        bare: Names that may begin with a dot.
    """
    *folders, base = name.split("/")
    dotted = [part for part in [*folders, base] if part.startswith(".")]
    if dotted and (dotted != [base] or base.lower() not in bare):
        return Finding(
            "unknown", name, "", dotted[0], "a program that the bundle does not need reads it, and may run it"
        )
    suffix = base.rpartition(".")[2].lower()
    if not folders and suffix in configs and not base.lower().startswith(LISTS):
        why = "it is none of configs/; other programs run what a file of their name says"
        return Finding("unknown", name, "", f"a '{suffix}' file beside the folders", why)
    if not (folders or [base])[0].isascii() or (folders and folders[0] in OWN and not name.isascii()):
        return Finding("text", name, "", base, "letters that may look like others")
    return None
