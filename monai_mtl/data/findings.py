"""What a check of a data set finds: one finding a kind of fault, with all its cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError

__all__ = ["KINDS", "Finding", "Report", "finding"]

COPY = "correct the list or copy the files again"
GRID = "export image and mask on one grid"
LEAVE_OUT = "repair the files, or leave the cases out by the column exclude of cases.csv"
ONE_PATIENT = "keep one of them; if only the patient differs, give both one patient_id in cases.csv"

KINDS: dict[str, tuple[str, str]] = {
    "missing_image": ("cannot be read: the image file is missing", COPY),
    "missing_mask": ("have no mask", "add the masks, or leave label_seg out where nobody drew one"),
    "unreadable": ("cannot be read", COPY),
    "name": ("have a file whose name does not fit its content", "rename the files"),
    "frames": ("have a file of more than one frame", "save one frame a file"),
    "size": ("have a file of an impossible size", "copy or export the files again"),
    "budget": ("have a file that is too large to decode", "raise max_bytes of MedicalReader if it is right"),
    "colour": ("have colours where grey is expected", "export them without colours, or read them with color 'rgb'"),
    "grey": ("have a grey DICOM file where colours are expected", "give the photos with their colours"),
    "modality": ("have a DICOM file of another modality", "leave the files out, or name it in modalities"),
    "transparency": ("have a partly transparent file", "flatten the files"),
    "non_finite": ("have pixels that are not finite", LEAVE_OUT),
    "lossy": ("have a mask in a lossy format", "save masks as PNG"),
    "hash": ("have a file whose content differs from its hash", COPY),
    "mask_size": ("have a mask of another size", GRID),
    "values": ("have a mask with undeclared values", "write one value a class, lossless"),
    "class_mask": (
        "have a class that disagrees with their mask",
        "this class says whether the mask holds a lesion; correct the label or the mask",
    ),
    "empty_mask": (
        "have a class with a lesion and an empty mask",
        "draw the lesion, correct the class, or exclude them",
    ),
    "undeclared_class": ("have an undeclared label", "use the classes of the config"),
    "no_labels": ("have a label", "add the labels to the data set"),
    "listed_twice": ("are listed more than once", "list each image once"),
    "same_case_id": ("have the same case_id", "give each case a name of its own"),
    "patient_split": ("have their patient in two sections", "keep each patient in one"),
    "split": ("cannot be split", ""),
    "duplicate": ("have the same content as another of another class, patient or section", ONE_PATIENT),
    "near_duplicate": ("show nearly the same picture as one of another section", ONE_PATIENT),
    "unused": ("belong to no case", "move them out of the data folder, or list them"),
    "no_patient_id": (
        "have no patient_id",
        "add it in cases.csv; else nobody knows whether a patient is in two sections",
    ),
    "twins": ("show nearly the same picture as another of their section", "look at them; count them as one patient"),
    "class_balance": ("are of a class with very few cases", "merge classes, or report the class apart"),
    "spacing": ("have a pixel spacing far from the others", "resample, or look whether the unit is right"),
    "orientation": ("lie across while most stand upright, or the reverse", "look at them; turn those that lie wrong"),
}
"""By kind, what is said after "3 of 780 cases", and how to mend it; in the order of a report."""


@dataclass(frozen=True)
class Finding:
    """All cases with one kind of fault.

    Args:
        kind: One of :data:`KINDS`.
        severity: ``"error"`` stops a training, ``"warning"`` is told.
        what: One sentence with counts.
        where: A line a place.
        cases: ``case_id`` of the cases concerned; of files that belong to none, the path in the data folder.
        expected: What would have been right.
        fix: What to do.
    """

    kind: str
    severity: str
    what: str
    where: Sequence[str] = ()
    cases: Sequence[str] = ()
    expected: str = ""
    fix: str = ""

    def text(self) -> str:
        """Several lines, as an error shows them."""
        return str(self.error())

    def error(self) -> DataError:
        """The finding as an error of its own."""
        return DataError(self.what, self.where, self.expected, self.fix)


def finding(
    kind: str,
    faults: Iterable[tuple[str, str]],
    total: int,
    severity: str = "error",
    said: str = "",
    expected: str = "",
    fix: str = "",
    count: int | None = None,
    of: str = "cases",
) -> list[Finding]:
    """One finding of some faults, or none of none.

    Args:
        kind: One of :data:`KINDS`.
        faults: ``case_id`` and line of each.
        total: Number of cases looked at.
        severity: As in :class:`Finding`.
        said: Instead of the sentence of :data:`KINDS`.
        expected: What would have been right.
        fix: Instead of that of :data:`KINDS`.
        count: Instead of the number of faults.
        of: What is counted.
    """
    faults = list(faults)
    if not faults:
        return []
    what = f"{count or len(faults)} of {total} {of} {said or KINDS[kind][0]}"
    cases = list(dict.fromkeys(case for case, _ in faults if case))
    where = list(dict.fromkeys(line for _, line in faults if line))
    return [Finding(kind, severity, what, where, cases, expected, fix or KINDS[kind][1])]


@dataclass
class Report:
    """Result of a check.

    Args:
        total: Number of cases.
        findings: Errors first, each in the order of :data:`KINDS`.
        overview: Counts of classes, sizes and spacings.
        details: File with all of it, if one was written.
    """

    total: int
    findings: list[Finding] = field(default_factory=list)
    overview: dict[str, Any] = field(default_factory=dict)
    details: Path | None = None

    def __post_init__(self) -> None:
        kinds = list(KINDS)
        self.findings.sort(key=lambda one: (one.severity != "error", kinds.index(one.kind)))

    @property
    def errors(self) -> list[Finding]:
        """Findings that stop a training."""
        return [one for one in self.findings if one.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The other findings."""
        return [one for one in self.findings if one.severity != "error"]

    def raise_errors(self) -> None:
        """Raise what stops a training.

        Raises:
            DataError: If there is an error: the short text of one finding, or a list of several.
        """
        errors = self.errors
        details = f"  details: {self.details}" if self.details else ""
        if len(errors) == 1:
            one = errors[0]
            raise DataError(one.what, one.where, one.expected, "\n".join(filter(None, [one.fix, details])))
        if errors:
            named = list(dict.fromkeys(case for one in errors for case in one.cases))
            groups = "\n".join(one.text() for one in errors)
            what = f"{len(errors)} kinds of faults in the data set, {len(named)} cases and files\n{groups}"
            fix = "mend each kind as said above, then look again: monai-mtl check"
            raise DataError(what, fix="\n".join(filter(None, [fix, details])))

    def to_json(self) -> dict[str, Any]:
        """Content of ``check.json``: no patient, no absolute path."""
        keys = ("kind", "severity", "what", "cases", "where", "expected", "fix")
        found = [{key: _plain(getattr(one, key)) for key in keys} for one in self.findings]
        return {"cases": self.total, "errors": len(self.errors), "findings": found, "overview": self.overview}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else list(value)
