"""BUSI, breast ultrasound images: a folder a class, masks beside the images or in folders of their own.

Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28 (2020). It has no patient ids, and some
lesions in more than one image.
"""

from __future__ import annotations

import re
from pathlib import Path

from .shared import image_files, refuse_faults, refuse_twins, training_only

__all__ = ["LAYOUT", "UNKNOWN_PATIENTS", "matches", "read"]

LAYOUT = "benign/ and malignant/ (and normal/) with 'name.png' and 'name_mask.png', or imgs/ and masks/ of these (BUSI)"
UNKNOWN_PATIENTS = True
CLASSES = ("benign", "malignant", "normal")
MASK = re.compile(r"(?P<image>.+)_mask(_(?P<number>\d+))?")


def matches(folder: Path) -> bool:
    """Whether the folder has this layout."""
    pairs = ((folder, folder), (folder / "imgs", folder / "masks"))
    return any((i / "benign").is_dir() and (i / "malignant").is_dir() and any(m.glob("*/*_mask.*")) for i, m in pairs)


def read(folder: Path, *, normal: bool = True) -> dict[str, list[dict]]:
    """Cases, all in training; ``label_cls`` is the folder's name and a case's masks are one list.

    Args:
        folder: The data set.
        normal: Whether ``normal/`` is read, where it is there; most papers on tumours leave it out.

    Raises:
        DataError: If a folder has no images, a name occurs twice, or a mask has no image.
    """
    apart = (folder / "imgs").is_dir()
    cases: list[dict] = []
    strangers: list[str] = []
    for name in CLASSES:
        place, masks_place = (Path("imgs", name), Path("masks", name)) if apart else (Path(name), Path(name))
        if name == "normal" and not (normal and (folder / place).is_dir()):
            continue  # left out by users of two classes
        images = {s: p for s, p in image_files(folder / place).items() if apart or not MASK.fullmatch(s)}
        masks: dict[str, dict[int, str]] = {stem: {} for stem in images}
        drawn = image_files(folder / masks_place) if (folder / masks_place).is_dir() else {}
        for stem, path in drawn.items():
            if found := MASK.fullmatch(stem):
                at = (masks_place / path.name).as_posix()
                masks.setdefault(found["image"], {})[int(found["number"] or 0)] = at
        strangers += [path for stem in sorted(set(masks) - set(images)) for path in masks[stem].values()]
        for stem in sorted(images, key=_natural):
            missing = {0: (masks_place / f"{stem}_mask.png").as_posix()}
            parts = [path for _, path in sorted((masks[stem] or missing).items())]
            case: dict = {"image": (place / images[stem].name).as_posix(), "case_id": stem, "label_cls": name}
            cases.append(case | {"label_seg": parts[0] if len(parts) == 1 else parts})
    refuse_faults("masks without an image", strangers, "'name.png' of 'name_mask.png'", "add the images")
    refuse_twins([case["case_id"] for case in cases], str(folder))
    return training_only(cases)


def _natural(stem: str) -> list[tuple[int, str]]:
    """Sorts "benign (10)" after "benign (9)"."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", stem)]
