"""Single cases: images to predict, and a case of a list made complete."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from monai.config import PathLike
from pydicom.misc import is_dicom

from ..errors import DataError, MissingError
from .formats.content import without_suffix
from .masks import mask_files
from .reader import IMAGE_SUFFIXES

__all__ = ["case_files", "list_images", "resolve_case", "secret_id"]


def list_images(path: PathLike | Sequence[PathLike]) -> list[dict]:
    """Images to predict: one file, several, or every image below a folder, in the order of their names.

    Args:
        path: File, folder, or a sequence of files, which keep their order.

    Returns:
        Cases with ``image`` (absolute) and ``case_id`` (relative name, unique).

    Raises:
        MissingError: If there is no such file or folder.
        DataError: If a folder holds no image.
    """
    if isinstance(path, (list, tuple)):
        return _listed([Path(one).expanduser().absolute() for one in path])
    root = Path(str(path)).expanduser()
    if root.is_file():
        return [{"image": str(root.resolve()), "case_id": without_suffix(root).name}]
    if not root.is_dir():
        raise MissingError(f"no file or folder {root}", fix="give an existing one as --dataset_dir")
    files = sorted(p for p in root.rglob("*") if _is_image(p))
    if not files:
        raise DataError(
            f"no PNG, JPEG, DICOM or NIfTI below {root}", fix="point --dataset_dir at an image or a folder of images"
        )
    return _named(files, root)


def _listed(files: Sequence[Path]) -> list[dict]:
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise MissingError(f"{len(missing)} of {len(files)} files do not exist", missing, fix="give existing ones")
    if not files:
        raise DataError("no file is named", fix="name at least one")
    return _named(list(dict.fromkeys(files)), Path(os.path.commonpath([file.parent for file in files])))


def _named(files: Sequence[Path], root: Path) -> list[dict]:
    """Cases with their names below ``root``, with the suffix where two differ in it only."""
    names = [p.relative_to(root) for p in files]
    stems = Counter(without_suffix(name) for name in names)
    ids = [name if stems[without_suffix(name)] > 1 else without_suffix(name) for name in names]
    if len(set(ids)) < len(ids):  # a.png, a.jpg and a.png.png
        ids = names
    return [{"image": str(p.resolve()), "case_id": i.as_posix()} for p, i in zip(files, ids, strict=True)]


def _is_image(path: Path) -> bool:
    """By its name, or as archives leave the suffix out by the preamble of DICOM."""
    if not path.is_file() or path.name.startswith("."):
        return False
    return path.name.lower().endswith(IMAGE_SUFFIXES) or (not path.suffix and is_dicom(path))


def resolve_case(case: dict, folder: Path, classes: Mapping[str, Sequence[str]]) -> dict:
    """A case with absolute paths, class indices and a ``case_id``.

    Args:
        case: As an importer gives it.
        folder: Where its paths start.
        classes: Class names by task.
    """
    resolved = {key: value for key, value in case.items() if value is not None}
    if "label" in resolved:
        resolved["label_seg"] = resolved.pop("label")
    for key in ("image", "label_seg"):
        found = resolved.get(key)
        if isinstance(found, list):
            resolved[key] = [str((folder / str(path)).resolve()) for path in found]
        elif found is not None and not isinstance(found, dict):
            resolved[key] = str((folder / str(found)).resolve())
    for task, names in classes.items():
        label = resolved.get(f"label_{task}")
        if task != "seg" and isinstance(label, str):
            label = label.strip()
            resolved[f"label_{task}"] = list(names).index(label) if label in names else _number(label)
    name = without_suffix(Path(case["image"]))
    resolved.setdefault("case_id", name.name if name.is_absolute() else name.as_posix().removeprefix("images/"))
    if "patient_id" in resolved:
        resolved["patient_id"] = str(resolved["patient_id"]).strip()
    return resolved


def _number(text: str) -> int | str:
    """The whole number that a text is, also as spreadsheets write it (``1.0``)."""
    whole = re.fullmatch(r"([0-9]+)(\.0+)?", text)
    return int(whole[1]) if whole else text


def case_files(case: Mapping) -> list[Path]:
    """Image and mask files of a resolved case."""
    mask = case.get("label_seg")
    return [Path(case["image"]), *(mask_files(mask) if mask is not None else [])]


def secret_id(case_id: str, salt: str) -> str:
    """Twelve hexadecimal digits that stand for a name; without the salt nobody finds the name again."""
    return hmac.new(salt.encode(), case_id.encode(), hashlib.sha256).hexdigest()[:12]
