"""From probabilities to what a person or a program reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from ..layers.mil import select_instance

__all__ = [
    "ClassFromProbabilityd",
    "ClassProbabilitiesd",
    "ForegroundProbabilityd",
    "ImageResultd",
    "LesionClassesd",
    "MaskFromProbabilityd",
]


class ForegroundProbabilityd(Transform):
    """Probability of not being background, from mask logits; the logits are dropped.

    Args:
        logits_key: Logits ``(K, H, W)`` for a softmax, class 0 the background; ``(1, H, W)`` for a sigmoid.
        probability_key: Where the probability ``(1, H, W)`` is written.
    """

    def __init__(self, logits_key: str = "seg", probability_key: str = "probability") -> None:
        self.logits_key, self.probability_key = logits_key, probability_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Convert one case."""
        d = dict(data)
        logits = d.pop(self.logits_key).float()
        one = logits.shape[0] == 1
        probability = torch.sigmoid(logits) if one else torch.softmax(logits, dim=0)[1:].sum(dim=0, keepdim=True)
        # Invertd leaves a plain tensor as it is, with no more than a warning.
        d[self.probability_key] = MetaTensor(probability)
        return d


class MaskFromProbabilityd(Transform):
    """Mask of one lesion class: probability strictly above a threshold.

    Args:
        probability_key: Probability ``(1, *)`` on any grid.
        mask_key: Where the mask ``(*)``, uint8, without the channel axis, is written.
        threshold: In [0, 1).
    """

    def __init__(self, probability_key: str = "probability", mask_key: str = "pred", threshold: float = 0.5) -> None:
        self.probability_key, self.mask_key, self.threshold = probability_key, mask_key, threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Threshold one case."""
        d = dict(data)
        d[self.mask_key] = (d[self.probability_key][0] > self.threshold).to(torch.uint8)
        return d


class LesionClassesd(Transform):
    """Mask of several classes of lesions: the most probable class of each pixel; and the probability of any lesion.

    Args:
        probabilities_key: Probabilities ``(K, *)``, class 0 the background, on any grid; they are dropped. Where all
            are 0, as outside a crop that was undone, is background.
        mask_key: Where the class indices ``(*)``, uint8, without the channel axis, are written.
        probability_key: Where the summed probability ``(1, *)`` of the lesions is written.
    """

    def __init__(
        self, probabilities_key: str = "seg", mask_key: str = "pred", probability_key: str = "probability"
    ) -> None:
        self.probabilities_key, self.mask_key, self.probability_key = probabilities_key, mask_key, probability_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decide one case."""
        d = dict(data)
        probabilities = d.pop(self.probabilities_key)
        d[self.mask_key] = probabilities.argmax(dim=0).to(torch.uint8)
        d[self.probability_key] = probabilities[1:].sum(dim=0, keepdim=True)
        return d


class ClassFromProbabilityd(Transform):
    """Probabilities of the image's two classes from the mask's: that of class 1 is the largest in the image.

    For a network that learned masks only; with a network that learned both, its own class is better.

    Args:
        probability_key: Probability ``(1, *)`` of not being background.
        class_key: Where the probabilities ``(2,)`` are written.
    """

    def __init__(self, probability_key: str = "probability", class_key: str = "cls") -> None:
        self.probability_key, self.class_key = probability_key, class_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decide one case."""
        d = dict(data)
        largest = torch.as_tensor(d[self.probability_key]).as_subclass(torch.Tensor).max()
        d[self.class_key] = torch.stack([1 - largest, largest])
        return d


class ClassProbabilitiesd(Transform):
    """Probabilities of the image's classes from logits, in their place: of one logit, those of class 0 and class 1.

    Args:
        class_key: Logits ``(K,)`` for a softmax; ``(1,)`` for a sigmoid, which become two probabilities.
    """

    def __init__(self, class_key: str = "cls") -> None:
        self.class_key = class_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Convert one case."""
        d = dict(data)
        d[self.class_key] = _class_probabilities(d[self.class_key])
        return d


class ImageResultd(Transform):
    """Writes ``result``: class with its probabilities and, where known, the place that decided it and the crop.

    The class map covers the image, or the part of it that ``window`` names
    (:class:`monai_mtl.inferers.MultiTaskInferer`).

    The value is plain JSON; MONAI Label sends it to its client.

    Args:
        classes: Class names, index 0 first.
        class_key: Image-level logits ``(K,)``, or one logit of the second of two classes.
        map_key: Class map logits ``(K, h, w)``; ``None`` for a network that has no such map.
        image_key: Image as the network saw it ``(C, H, W)``; only its size is used.
        mil_select: The network's rule for the position, as in
            :func:`monai_mtl.layers.mil.select_instance`.
        start_key: First row and column of the crop that the network saw, in pixels of the file; ``None`` where the
            whole file is seen.
        end_key: Row and column after the last; ``None`` with ``start_key``.

    Raises:
        ValueError: If only one end of the crop is named, or a class map without a crop.
    """

    def __init__(
        self,
        classes: Sequence[str],
        class_key: str = "cls",
        map_key: str | None = "cls_map",
        image_key: str = "image",
        mil_select: str = "foreground_probability",
        start_key: str | None = "crop_start",
        end_key: str | None = "crop_end",
    ) -> None:
        if (start_key is None) != (end_key is None) or (map_key is not None and start_key is None):
            raise ValueError("ImageResultd needs both ends of the crop or neither, and both where there is a class map")
        self.classes = list(classes)
        self.class_key, self.map_key, self.image_key, self.mil_select = class_key, map_key, image_key, mil_select
        self.start_key, self.end_key = start_key, end_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Describe one case.

        Pixel coordinates are x (columns) before y (rows), 0-based, ``box_xyxy`` half open, on the grid of
        the file; ``scale_xy`` is file pixels per pixel of the network.
        """
        d = dict(data)
        probabilities = _class_probabilities(d[self.class_key]).tolist()
        label = max(range(len(probabilities)), key=probabilities.__getitem__)
        classification = {
            "label": self.classes[label],
            "probabilities": {name: round(p, 6) for name, p in zip(self.classes, probabilities, strict=True)},
        }
        d["result"] = {"classification": classification, **self._location(d)}
        return d

    def _location(self, d: Mapping[Hashable, Any]) -> dict[str, Any]:
        """Place and crop, as far as they are known."""
        if self.start_key is None:
            return {}
        start, end = (np.asarray(d[key], dtype=float).reshape(-1) for key in (self.start_key, self.end_key))
        scale = (end - start) / tuple(d[self.image_key].shape[1:])
        crop = {
            "box_xyxy": [int(v) for v in (start[1], start[0], end[1], end[0])],
            "scale_xy": [round(float(v), 6) for v in scale[::-1]],
        }
        if self.map_key is None:
            return {"crop": crop}
        cls_map = d[self.map_key]
        rows, columns = cls_map.shape[1:]
        row, column = divmod(int(select_instance(cls_map[None], self.mil_select)), columns)
        window = np.asarray(d.get("window", [0, 0, *d[self.image_key].shape[1:]]), dtype=float)
        cell = (window[2:] - window[:2]) / (rows, columns)
        first, last = (np.clip(start + scale * (window[:2] + cell * (row + i, column + i)), start, end) for i in (0, 1))
        return {"location": {"xy": _xy((first + last) / 2), "box_xyxy": [*_xy(first), *_xy(last)]}, "crop": crop}


def _class_probabilities(logits: torch.Tensor) -> torch.Tensor:
    logits = logits.float()
    # One logit is the second of two of which the first is 0.
    return torch.softmax(torch.cat([torch.zeros_like(logits), logits]) if len(logits) == 1 else logits, dim=0)


def _xy(row_column: np.ndarray) -> list[float]:
    return [round(float(value), 2) for value in row_column[::-1]]
