"""Labels that may be missing, and outputs that have names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_tensor

from ..errors import DataError

__all__ = ["ClassFromMaskd", "EnsureTaskLabelsd", "UnpackTasksd"]


class ClassFromMaskd(Transform):
    """Fills in the class of a case that has a mask but no class: 1 if the mask holds a lesion pixel.

    Right where the class is defined by the mask, as "holds a mass" is.

    Args:
        mask_key: Mask, 0 outside.
        class_key: Class label, left alone where present.
    """

    def __init__(self, mask_key: str = "label_seg", class_key: str = "label_cls") -> None:
        self.mask_key, self.class_key = mask_key, class_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Fill in one case."""
        d = dict(data)
        if d.get(self.class_key) is None and d.get(self.mask_key) is not None:
            d[self.class_key] = int((d[self.mask_key] > 0).any())
        return d


class EnsureTaskLabelsd(Transform):
    """Gives every case the same keys: a label and a ``has_<task>`` flag for each task.

    Collation drops a key that the first case of a batch lacks and fails on one that a later case lacks,
    so a missing label becomes zeros with ``has_<task>`` false.

    Args:
        kinds: ``"mask"`` or ``"class"`` by task name.
        image_key: Image whose grid a mask must share.

    Raises:
        ValueError: If a kind is unknown.
    """

    def __init__(self, kinds: Mapping[str, str], image_key: str = "image") -> None:
        if not set(kinds.values()) <= {"mask", "class"}:
            raise ValueError(f"kinds must be 'mask' or 'class', got {dict(kinds)}")
        self.kinds = dict(kinds)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Complete one case.

        Raises:
            DataError: If a mask has another size than its image.
        """
        d = dict(data)
        for task, kind in self.kinds.items():
            key = f"label_{task}"
            d[f"has_{task}"] = d.get(key) is not None
            if kind == "class":
                d[key] = int(d[key]) if d[f"has_{task}"] else 0
            elif not d[f"has_{task}"]:
                d[key] = torch.zeros_like(d[self.image_key][:1], dtype=torch.uint8)
            elif d[key].shape[1:] != d[self.image_key].shape[1:]:
                sizes = f"mask {tuple(d[key].shape[1:])}, image {tuple(d[self.image_key].shape[1:])}"
                raise DataError(
                    f"the mask of {_name(d, self.image_key)} has another size",
                    [sizes],
                    fix="export image and mask on one grid",
                )
        return d


class UnpackTasksd(MapTransform):
    """Turns the engine's dictionaries ``pred`` and ``label`` into flat keys that clash with no datalist key.

    ``pred["seg"]`` becomes ``seg``, ``label["seg"]`` becomes ``seg_target`` and ``label["has_seg"]`` becomes
    ``seg_annotated``: a key that the batch already has would be written to the batch, not to the output.
    Meta data are dropped, since a network's output is on no file's grid.

    Args:
        keys: ``"pred"`` or ``("pred", "label")``.
    """

    def __init__(self, keys: KeysCollection = ("pred", "label")) -> None:
        super().__init__(keys, allow_missing_keys=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Unpack one case."""
        d = dict(data)
        for key in self.keys:
            packed = d.pop(key, None)
            for name, value in (packed or {}).items():
                flag = name.startswith("has_")
                target = f"{name.removeprefix('has_')}_annotated" if flag else f"{name}_target"
                d[name if key == "pred" else target] = convert_to_tensor(value, track_meta=False)
        return d


def _name(case: Mapping[Hashable, Any], image_key: str) -> object:
    """Case name, or the file where MONAI Label gives no more than that."""
    return case.get("case_id") or getattr(case[image_key], "meta", {}).get("filename_or_obj", "a case")
