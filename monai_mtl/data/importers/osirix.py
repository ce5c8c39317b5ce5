"""Regions of interest that OsiriX exports as a property list."""

from __future__ import annotations

import plistlib
from collections.abc import Container
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from .shared import image_files, refuse_faults

__all__ = ["read_outlines"]

UNREADABLE = (plistlib.InvalidFileException, ExpatError, ValueError, LookupError, TypeError, AttributeError)


def read_outlines(folder: Path, images: Container[str], names: Container[str]) -> dict[str, list]:
    """Outlines of the regions that are called one of ``names``, as lists of [x, y], by stem of the XML file.

    Raises:
        DataError: If a file cannot be read, counts its points wrongly, or belongs to no image.
    """
    outlines: dict[str, list] = {}
    faults = []
    for stem, path in image_files(folder, (".xml",)).items():
        try:
            regions = plistlib.loads(path.read_bytes())["Images"][0]["ROIs"]
            points = [[_point(text) for text in region["Point_px"]] for region in regions]
            called = [str(region.get("Name", "")).strip().lower() for region in regions]
        except UNREADABLE as error:
            faults.append(f"{path.name}: {error!r}")
            continue
        faults += [f"{path.name}: {fault}" for fault in _miscounted(regions, points)]
        faults += [] if stem in images else [f"{path.name}: no such image"]
        outlines[stem] = [p for p, name in zip(points, called, strict=True) if p and name in names]
    refuse_faults(f"{folder} cannot be used", faults, "OsiriX ROIs as a property list", "copy these files again")
    return outlines


def _point(text: str) -> list[float]:
    x, y = text.strip("() ").split(",")
    return [float(x), float(y)]


def _miscounted(regions: list[dict[str, Any]], points: list) -> list[str]:
    pairs = [(region.get("NumberOfPoints"), len(p)) for region, p in zip(regions, points, strict=True)]
    return [f"ROI {i} says {said} points and has {has}" for i, (said, has) in enumerate(pairs) if said != has]
