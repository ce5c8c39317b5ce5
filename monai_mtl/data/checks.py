"""What must hold of a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .facts import Facts, Names, gather
from .findings import KINDS, Finding, Report, finding
from .relations import duplicates, listed_twice, patients_in_two_sections
from .unused import unused_files

__all__ = ["EMPTY_CLASSES", "examine_cases"]

EMPTY_CLASSES = frozenset(
    ("normal", "no mass", "no lesion", "no finding", "nothing", "none", "negative", "healthy", "background", "absent")
)
"""Classes whose mask may be empty; capitals, underscores and hyphens make no difference."""
RARE = 0.05
"""Share of the labelled cases below which a class is told to be rare."""
SPREAD = 5.0
"""Times the median spacing at which a spacing is told to be far off: 10 is a unit (cm for mm)."""
ACROSS, ENOUGH = 0.02, 50
"""Share of images that lie the other way which is told, and the number of images from which on it is."""


def examine_cases(
    sections: Mapping[str, Sequence[dict]],
    classes: Mapping[str, Sequence[str]],
    class_from_mask: bool = False,
    *,
    facts: Sequence[Facts] | None = None,
    names: Names | None = None,
    reader: Mapping[str, Any] | None = None,
    empty_classes: Collection[str] = EMPTY_CLASSES,
    unlabelled: Collection[str] = (),
    ignored: Sequence[str] = (),
    others: Sequence[Path] = (),
    findings: Sequence[Finding] = (),
) -> Report:
    """Look at the whole data set and report all that is wrong with it at once. Raises nothing.

    Args:
        sections: Resolved cases by section, as :func:`load_datalist` makes them.
        classes: Class names by task; ``seg`` is the mask's.
        class_from_mask: Whether ``label_cls`` 1 means that the mask is not empty, and 0 that it is.
        facts: Of all cases in the order of the sections, where they were gathered before.
        names: How files are called; with a folder, unused files are looked for in it.
        reader: Options of :class:`monai_mtl.data.MedicalReader` for the images.
        empty_classes: Names of ``label_cls`` whose mask file may be empty.
        unlabelled: Tasks that no training case needs a label for, as another site of a federation has them.
        ignored: Patterns of files that belong to no case on purpose.
        others: Files or folders that are no part of the data.
        findings: What was found before.
    """
    names = names or Names()
    cases = [case for section in sections.values() for case in section]
    where = [name for name, section in sections.items() for _ in section]
    if facts is None:
        facts = gather(cases, classes, names, reader)
    found = [*findings, *_files(cases, facts, classes.get("seg", ()))]
    found += _masks(cases, facts, classes, class_from_mask, empty_classes, names)
    found += _labels(sections, cases, classes, names, unlabelled)
    nameless = [(str(case["case_id"]), "") for case in cases if not case.get("patient_id")]
    said = "have no patient_id: whether a patient is in two sections is not known"
    found += finding("no_patient_id", nameless, len(cases), "warning", said)
    found += listed_twice(cases, where, names)
    found += patients_in_two_sections(cases, where)
    found += duplicates(cases, where, facts, names)
    if names.folder is not None:
        found += unused_files(cases, names, ignored, others)
    found += _grids(cases, facts, names)
    return Report(len(cases), found, _overview(sections, cases, facts, classes))


def _files(cases: Sequence[dict], facts: Sequence[Facts], mask_classes: Sequence[str]) -> list[Finding]:
    faults: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for case, fact in zip(cases, facts, strict=True):
        for kind, line in dict.fromkeys(fact.faults):
            faults[kind].append((str(case["case_id"]), line))
    count = {kind: len({case for case, _ in found}) for kind, found in faults.items()}
    fixes = {"values": f"use 0..{len(mask_classes) - 1} for {list(mask_classes)}, lossless"} if mask_classes else {}
    return [
        one
        for kind, found in faults.items()
        for one in finding(kind, found, len(cases), count=count[kind], fix=fixes.get(kind, ""))
    ]


def _masks(
    cases: Sequence[dict],
    facts: Sequence[Facts],
    classes: Mapping[str, Sequence[str]],
    class_from_mask: bool,
    empty_classes: Collection[str],
    names: Names,
) -> list[Finding]:
    """Whether masks and classes speak of the same thing."""
    unlike, empty = [], []
    may_be_empty = {_in_small_letters(name) for name in empty_classes}
    for case, fact in zip(cases, facts, strict=True):
        label, lesion = case.get("label_cls"), fact.lesion
        if lesion is None or not isinstance(label, int):
            continue
        source = case["label_seg"]
        name = names.file(case["image"] if isinstance(source, Mapping) or not source else _first(source), case)
        if class_from_mask:
            if label == int(not lesion):
                unlike.append((str(case["case_id"]), f"{name}: label_cls {label}, mask {'not ' * lesion}empty"))
        # Only a file may be empty by mistake: [] says that somebody looked and found nothing.
        elif not lesion and source and not isinstance(source, Mapping) and 0 <= label < len(classes.get("cls", ())):
            called = classes["cls"][label]
            if _in_small_letters(called) not in may_be_empty:
                empty.append((str(case["case_id"]), f"{name}: {called}"))
    return finding("class_mask", unlike, len(cases)) + finding("empty_mask", empty, len(cases))


def _in_small_letters(name: str) -> str:
    """With blanks for underscores and hyphens."""
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _first(source: Any) -> object:
    return source[0] if isinstance(source, list) else source


def _labels(
    sections: Mapping[str, Sequence[dict]],
    cases: Sequence[dict],
    classes: Mapping[str, Sequence[str]],
    names: Names,
    unlabelled: Collection[str],
) -> list[Finding]:
    found: list[Finding] = []
    for task, called in classes.items():
        key = f"label_{task}"
        if task != "seg":
            wrong = [case for case in cases if not _declared(case.get(key), called)]
            lines = [(str(c["case_id"]), f"{names.file(c['image'], c)}: {c[key]!r}") for c in wrong]
            fix = f"use 0..{len(called) - 1} for {list(called)}"
            found += finding("undeclared_class", lines, len(cases), said=f"have an undeclared {key}", fix=fix)
            counts = Counter(case[key] for case in cases if isinstance(case.get(key), int))
            rare = [i for i in range(len(called)) if 0 < counts[i] < RARE * sum(counts.values())]
            few = [(str(case["case_id"]), f"{called[case[key]]}") for case in cases if case.get(key) in rare]
            found += finding("class_balance", few, len(cases), "warning")
        labelled = any(key in case or (task == "cls" and "label_seg" in case) for case in sections["training"])
        if not labelled and task not in unlabelled:
            expected = f"{key} for at least some cases; classes {list(called)}"
            what = f"no training case has a {key}"
            found.append(Finding("no_labels", "error", what, (), (), expected, KINDS["no_labels"][1]))
    if not any(f"label_{task}" in case for task in classes for case in sections["training"]) and not found:
        what = "no training case has a label"
        found.append(Finding("no_labels", "error", what, (), (), "", KINDS["no_labels"][1]))
    return found


def _declared(label: object, names: Sequence[str]) -> bool:
    return label is None or (isinstance(label, int) and 0 <= label < len(names))


def _grids(cases: Sequence[dict], facts: Sequence[Facts], names: Names) -> list[Finding]:
    """Spacings far from the median, and the few images that lie across."""
    known = [(case, fact.spacing) for case, fact in zip(cases, facts, strict=True) if fact.spacing is not None]
    middle = float(np.median([max(spacing) for _, spacing in known])) if known else 0.0
    far = [
        (str(case["case_id"]), f"{names.file(case['image'], case)}: {max(spacing):g} mm, median {middle:g} mm")
        for case, spacing in known
        if not middle / SPREAD < max(spacing) < middle * SPREAD
    ]
    lying = {False: [], True: []}  # type: dict[bool, list[tuple[str, str]]]
    for case, fact in zip(cases, facts, strict=True):
        if fact.size is not None and fact.size[0] != fact.size[1]:
            line = f"{names.file(case['image'], case)}: {fact.size[0]}x{fact.size[1]}"
            lying[fact.size[0] > fact.size[1]].append((str(case["case_id"]), line))
    few = min(lying.values(), key=len)
    total = len(lying[False]) + len(lying[True])
    few = few if total >= ENOUGH and len(few) <= ACROSS * total else []
    return finding("spacing", far, len(cases), "warning") + finding("orientation", few, len(cases), "warning")


def _overview(
    sections: Mapping[str, Sequence[dict]],
    cases: Sequence[dict],
    facts: Sequence[Facts],
    classes: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Counts for a person who wants to know what the data are."""
    labels = {
        task: {
            name: {str(k): n for k, n in sorted(Counter(_called(c.get(f"label_{task}"), called) for c in part).items())}
            for name, part in sections.items()
        }
        for task, called in classes.items()
        if task != "seg"
    }
    sizes = [fact.size for fact in facts if fact.size is not None]
    spacings = [max(fact.spacing) for fact in facts if fact.spacing is not None]
    return {
        "sections": {name: len(part) for name, part in sections.items()},
        "patients": {n: len({c["patient_id"] for c in part if c.get("patient_id")}) for n, part in sections.items()},
        "classes": labels,
        "with_mask": {name: sum("label_seg" in case for case in part) for name, part in sections.items()},
        "width": _spread([size[0] for size in sizes]),
        "height": _spread([size[1] for size in sizes]),
        "spacing_mm": _spread(spacings) | {"unknown": len(cases) - len(spacings)},
        "upright": sum(height > width for width, height in sizes),
        "across": sum(width > height for width, height in sizes),
    }


def _called(label: object, names: Sequence[str]) -> str:
    if isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    return "no label" if label is None else "undeclared"


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    low, middle, high = (float(v) for v in np.percentile(values, (0, 50, 100))) if values else (None, None, None)
    return {"smallest": low, "median": middle, "largest": high}
