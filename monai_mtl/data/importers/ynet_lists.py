"""Tiles of breast biopsies with the lists ``train.txt`` and ``val.txt`` of Y-Net.

Mehta et al., Y-Net: joint segmentation and classification for diagnosis of breast biopsy images, MICCAI 2018.
"""

from __future__ import annotations

from pathlib import Path

from .shared import refuse_faults, refuse_twins

__all__ = ["LAYOUT", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "train.txt and val.txt with '/image, /annotation, diagnosis' in a line (Y-Net)"
UNKNOWN_PATIENTS = True
LISTS = {"training": "train.txt", "validation": "val.txt"}


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    if not all((folder / name).is_file() for name in LISTS.values()):
        return False
    with (folder / "train.txt").open(encoding="utf-8", errors="replace") as file:
        fields = file.readline().lstrip("\ufeff").split(",")
    return len(fields) == 3 and all(field.strip().startswith("/") for field in fields[:2])


def read(folder: Path) -> dict[str, list[dict]]:
    """Training and validation cases as listed.

    ``label_cls`` is the diagnosis minus one (0 benign, 1 atypia, 2 DCIS, 3 invasive); it is absent where the list
    says 0, no diagnosis.

    Raises:
        DataError: If a line has other than three fields, or an image is listed twice.
    """
    sections: dict[str, list[dict]] = {"training": [], "validation": [], "test": []}
    faults = []
    for section, name in LISTS.items():
        for i, line in enumerate((folder / name).read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
            fields = [field.strip() for field in line.split(",")]
            if len(fields) == 3 and fields[2].isdecimal():
                image, annotation, diagnosis = fields[0].lstrip("/"), fields[1].lstrip("/"), int(fields[2])
                case = {"image": image, "case_id": Path(image).stem, "label_seg": annotation}
                sections[section].append(case | ({"label_cls": diagnosis - 1} if diagnosis else {}))
            elif line.strip():
                faults.append(f"{name}, line {i}: {line[:60]}")
    refuse_faults("lines not understood", faults, "/image.png, /annotation.png, diagnosis 0 to 4", "correct the lines")
    refuse_twins([case["case_id"] for cases in sections.values() for case in cases], "the lists")
    return sections
