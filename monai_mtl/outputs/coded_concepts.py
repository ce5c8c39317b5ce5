"""Codes of what a bundle finds, as its ``metadata.json`` holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydicom.sr.coding import Code

from ..errors import ConfigError

__all__ = ["Answer", "CodedConcepts", "Segment"]

FORM = '["4147007", "SCT", "Mass"]: value, scheme, meaning'
LONGEST = (16, 16, 64)
"""Letters that DICOM leaves for each part of a code."""


class Segment(NamedTuple):
    """What a mask shows.

    Args:
        name: Class name.
        category: Such as "Morphologically Abnormal Structure".
        type: Such as "Mass".
    """

    name: str
    category: Code
    type: Code


class Answer(NamedTuple):
    """What an image class means.

    Args:
        name: What is asked, such as "Mammographic breast mass".
        value: What is answered, such as "Absent".
    """

    name: Code
    value: Code


class CodedConcepts:
    """The field ``coded_concepts`` of a bundle's ``metadata.json``.

    Args:
        content: ``procedure`` and ``anatomic_region``, each a code; ``seg``, the one class of the mask with
            ``category`` and ``type``; ``cls``, for each image class ``name`` and ``value``. A code is a list of value,
            scheme and meaning.

    Raises:
        ConfigError: If it is not of this form.

    Example:
        >>> breast, mass = ["76752008", "SCT", "Breast"], ["4147007", "SCT", "Mass"]
        >>> field = {"procedure": ["71651007", "SCT", "Mammography"], "anatomic_region": breast, "cls": {}}
        >>> CodedConcepts({**field, "seg": {"mass": {"category": mass, "type": mass}}}).segment.type.meaning
        'Mass'
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.procedure = _code(content, "procedure")
        self.anatomic_region = _code(content, "anatomic_region")
        masks = _part(content, "seg")
        if len(masks) != 1:
            raise ConfigError(f"coded_concepts#seg has {len(masks)} classes", expected="the one that the mask shows")
        ((name, codes),) = masks.items()
        self.segment = Segment(name, *(_code(codes, key, f"seg#{name}#") for key in ("category", "type")))
        self._answers = {
            name: Answer(*(_code(codes, key, f"cls#{name}#") for key in ("name", "value")))
            for name, codes in _part(content, "cls").items()
        }

    def answer(self, label: str) -> Answer:
        """Codes of an image class.

        Args:
            label: Class name.

        Raises:
            ConfigError: If the field does not hold it.
        """
        if label not in self._answers:
            known = ", ".join(f"'{name}'" for name in self._answers) or "no class"
            raise ConfigError(
                f"coded_concepts of metadata.json has no code for the class '{label}'",
                expected=known,
                fix="add the class there",
            )
        return self._answers[label]


def _part(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(part, Mapping):
        raise ConfigError(f"coded_concepts has no '{key}'", expected="codes by class", fix="complete metadata.json")
    return part


def _code(content: Any, key: str, place: str = "") -> Code:
    parts = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(parts, (list, tuple)) or not _fits(parts):
        raise ConfigError(
            f"coded_concepts#{place}{key} is no code: {parts}", expected=FORM, fix="correct metadata.json"
        )
    return Code(*parts)


def _fits(parts: Sequence[Any]) -> bool:
    texts = len(parts) == len(LONGEST) and all(isinstance(part, str) for part in parts)
    return texts and all(0 < len(part) <= most for part, most in zip(parts, LONGEST, strict=True))
