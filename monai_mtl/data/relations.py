"""What cases have in common that they should not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

from .duplicates import near_duplicates
from .facts import Facts, Names
from .findings import Finding, finding

__all__ = ["duplicates", "group_cases", "listed_twice", "patients_in_two_sections"]


def listed_twice(cases: Sequence[dict], where: Sequence[str], names: Names) -> list[Finding]:
    """One image in several cases, or one ``case_id``.

    Args:
        cases: All cases.
        where: Section of each.
        names: How files are called.
    """
    found: list[Finding] = []
    for key, kind in (("image", "listed_twice"), ("case_id", "same_case_id")):
        groups = _groups([str(case[key]) for case in cases])
        faults = []
        for members in groups:
            case = cases[members[0]]
            if key == "case_id" and len({cases[i]["image"] for i in members}) == 1:
                continue  # one image listed twice, which is told already
            name = names.file(case["image"], case) if key == "image" else str(case["case_id"])
            places = ", ".join(sorted({where[i] for i in members}))
            faults += [(str(cases[i]["case_id"]), f"{name}: {places}") for i in members]
        found += finding(kind, faults, len(cases))
    return found


def patients_in_two_sections(cases: Sequence[dict], where: Sequence[str]) -> list[Finding]:
    """Patients, or lesions of unknown patients, whose cases are in several sections. Only the cases are named.

    Args:
        cases: All cases.
        where: Section of each.
    """
    faults = []
    owners = {i: owner for i, case in enumerate(cases) if (owner := _whose(case))}
    known = list(owners)
    for group in _groups(list(owners.values())):
        members = [known[i] for i in group]
        if len({where[i] for i in members}) > 1:
            line = f"one {owners[members[0]][0]}: " + ", ".join(f"{cases[i]['case_id']} ({where[i]})" for i in members)
            faults += [(str(cases[i]["case_id"]), line) for i in members]
    return finding("patient_split", faults, len(cases))


def duplicates(cases: Sequence[dict], where: Sequence[str], facts: Sequence[Facts], names: Names) -> list[Finding]:
    """Equal files and nearly equal pictures where they hurt.

    Equal files of two classes, patients or sections are errors, and so are nearly equal pictures in two sections,
    unless of one known patient, whose being there is told elsewhere. Any other pair is a warning, unless of one
    known patient.

    Args:
        cases: All cases.
        where: Section of each.
        facts: Of each.
        names: How files are called.
    """
    hurt: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def tell(kind: str, i: int, j: int, why: str) -> None:
        """Note a pair under both of its cases."""
        both = [names.file(cases[k]["image"], cases[k]) for k in (i, j)]
        hurt[kind] += [(str(cases[k]["case_id"]), f"{both[0]} and {both[1]}: {why}") for k in (i, j)]

    equal = [i for i, fact in enumerate(facts) if fact.digest]
    for group in _groups([facts[i].digest for i in equal]):
        first, *rest = (equal[k] for k in group)
        for other in rest:
            if cases[first]["image"] == cases[other]["image"]:
                continue  # told as listed twice
            differ = _differ(cases[first], cases[other], where[first], where[other])
            if differ:
                tell("duplicate", first, other, f"equal files of two {' and two '.join(differ)}")
            elif not _one_patient(cases[first], cases[other]):
                tell("twins", first, other, "equal files")
    # Views of one patient in one section may be as alike as they want.
    groups = [(whose, w) if (whose := _whose(case)) else None for case, w in zip(cases, where, strict=True)]
    for i, j, likeness in near_duplicates([fact.fingerprint for fact in facts], groups):
        if facts[i].digest == facts[j].digest or _one_patient(cases[i], cases[j]):
            continue
        apart = where[i] != where[j]
        why = f"{where[i]} and {where[j]}" if apart else f"both in {where[i]}"
        tell("near_duplicate" if apart else "twins", i, j, f"{why}, likeness {likeness:.2f}")
    total = len(cases)
    count = {kind: len({case for case, _ in found}) for kind, found in hurt.items()}
    found = finding("duplicate", hurt["duplicate"], total, count=count.get("duplicate"))
    found += finding("near_duplicate", hurt["near_duplicate"], total, count=count.get("near_duplicate"))
    return found + finding("twins", hurt["twins"], total, "warning", count=count.get("twins"))


def group_cases(cases: Sequence[dict], facts: Sequence[Facts]) -> list[str]:
    """A name for each case that cases of one patient or one lesion, equal files and nearly equal pictures share.

    For data sets that know no patients: what is known to belong together stays together.

    Args:
        cases: All cases.
        facts: Of each.
    """
    parent = list(range(len(cases)))

    def root(i: int) -> int:
        """The case that stands for the group of ``i``."""
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    pairs = [(i, j) for i, j, _ in near_duplicates([fact.fingerprint for fact in facts])]
    for values in ([_whose(case) for case in cases], [fact.digest or None for fact in facts]):
        first: dict[Hashable, int] = {}
        pairs += [(first.setdefault(value, i), i) for i, value in enumerate(values) if value is not None]
    for i, j in pairs:
        parent[root(i)] = root(j)
    # Named by the smallest case_id, not by position: the order of the cases must not change a split.
    smallest: dict[int, str] = {}
    for i, case in enumerate(cases):
        name = str(case["case_id"])
        smallest[root(i)] = min(smallest.get(root(i), name), name)
    return [smallest[root(i)] for i in range(len(cases))]


def _differ(one: Mapping, other: Mapping, here: str, there: str) -> list[str]:
    """In what two cases differ that share a file."""
    same = _one_patient(one, other)
    differ = ["classes"] if one.get("label_cls") != other.get("label_cls") else []
    if one.get("patient_id") and other.get("patient_id") and not same:
        differ.append("patients")
    return differ + (["sections"] if here != there and not same else [])


def _one_patient(one: Mapping, other: Mapping) -> bool:
    return _whose(one) is not None and _whose(one) == _whose(other)


def _whose(case: Mapping) -> tuple[str, str] | None:
    """Patient or, where only that is known, lesion of a case."""
    known = ((what, case.get(f"{what}_id")) for what in ("patient", "lesion"))
    return next(((what, str(name)) for what, name in known if name), None)


def _groups(values: Sequence[Hashable]) -> list[list[int]]:
    """Positions of each value that occurs more than once."""
    counts = Counter(values)
    groups: dict[Hashable, list[int]] = {}
    for i, value in enumerate(values):
        if counts[value] > 1:
            groups.setdefault(value, []).append(i)
    return list(groups.values())
