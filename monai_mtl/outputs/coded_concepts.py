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
        content: ``procedure`` and ``anatomic_region``, each a code; ``seg``, for each class of lesions ``category``
            and ``type``; ``cls``, for each image class ``name`` and ``value``. A code is a list of value, scheme and
            meaning.
        lesions: Names of the lesions' classes, that of value 1 of the mask first; none for the one that ``seg`` holds.

    Raises:
        ConfigError: If it is not of this form.

    Example:
        >>> breast, mass = ["76752008", "SCT", "Breast"], ["4147007", "SCT", "Mass"]
        >>> field = {"procedure": ["71651007", "SCT", "Mammography"], "anatomic_region": breast, "cls": {}}
        >>> CodedConcepts({**field, "seg": {"mass": {"category": mass, "type": mass}}}).segment().type.meaning
        'Mass'
    """

    def __init__(self, content: Mapping[str, Any], lesions: Sequence[str] = ()) -> None:
        self.procedure = _code(content, "procedure")
        self.anatomic_region = _code(content, "anatomic_region")
        masks = _part(content, "seg")
        if not masks or (len(masks) > 1 and not lesions):
            raise ConfigError(f"coded_concepts#seg has {len(masks)} classes", expected="the one that the mask shows")
        self._segments = {
            name: Segment(name, *(_code(codes, key, f"seg#{name}#") for key in ("category", "type")))
            for name, codes in masks.items()
        }
        self.lesions = list(lesions) or list(masks)
        self._answers = {
            name: Answer(*(_code(codes, key, f"cls#{name}#") for key in ("name", "value")))
            for name, codes in _part(content, "cls").items()
        }

    def segment(self, kind: int = 1) -> Segment:
        """What a lesion is.

        Args:
            kind: Its value in the mask; of one class, whatever it is.

        Raises:
            ConfigError: If the field does not hold it.
        """
        name = self.lesions[kind - 1 if len(self.lesions) > 1 else 0]
        if name not in self._segments:
            raise _no_code("lesion class", name, self._segments)
        return self._segments[name]

    def answer(self, label: str) -> Answer:
        """Codes of an image class.

        Args:
            label: Class name.

        Raises:
            ConfigError: If the field does not hold it.
        """
        if label not in self._answers:
            raise _no_code("class", label, self._answers)
        return self._answers[label]


def _no_code(what: str, name: str, known: Mapping[str, Any]) -> ConfigError:
    expected = ", ".join(f"'{one}'" for one in known) or "no class"
    what = f"coded_concepts of metadata.json has no code for the {what} '{name}'"
    return ConfigError(what, expected=expected, fix="add the class there")


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
