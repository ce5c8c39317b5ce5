"""The table: 53 cases, some of them with several files or choices."""

from __future__ import annotations

from dataclasses import fields

from . import dicom, nifti, pictures, training
from .case import Fault
from .special import Guarded, Special

LIMITS = dict.fromkeys(("D11", "D12", "D20", "N3", "P15", "P16"), (2.0, 512.0)) | {"D15": (0.01, 16.0)}
"""Seconds and megabytes of the cases that could exhaust a computer."""


def _table() -> dict[str, list[Fault | Special]]:
    every = [*dicom.EVERY, *pictures.EVERY, *nifti.CASES, *nifti.MORE, *training.EVERY]
    table: dict[str, list[Fault | Special]] = {}
    for case in every:
        if isinstance(case, Fault) and case.id in LIMITS:
            seconds, megabytes = LIMITS[case.id]
            held = {field.name: getattr(case, field.name) for field in fields(Fault)}
            case = Guarded(**held, seconds=seconds, megabytes=megabytes)
        table.setdefault(case.id, []).append(case)
    return {name: table[name] for name in sorted(table, key=lambda name: ("DPNT".index(name[0]), int(name[1:])))}


CASES = _table()
"""By id; the first entry of each has the outcome that is published."""
