"""Random crop that shows a lesion as often as not, with the class of what it shows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import Crop, InvertibleTransform, MapTransform, Randomizable
from monai.transforms.utils import correct_crop_centers
from monai.utils import ensure_tuple

from ..errors import DataError

__all__ = ["RandBalancedCropd"]


class RandBalancedCropd(Randomizable, MapTransform, InvertibleTransform):
    """Crops a window around a random lesion pixel or a random background pixel.

    In an image with lesion pixels the centre is one of them with probability ``lesion_fraction``, else one
    of the others; in an image without, any pixel. A window that would leave the image is shifted back
    inside. The class label becomes 1 if the window holds at least ``min_lesion_pixels`` and at least one
    lesion pixel, else 0.

    An image without a mask is cropped around any pixel. Its class label is kept if it is 0 (then every
    window is a 0) and also if it is not: the window may then miss the lesion, a noisy label that
    ``trust_unmasked=False`` turns off (``has_<class>`` becomes false).

    Args:
        keys: Arrays ``(C, H, W)`` to crop alike.
        mask_key: Lesion mask ``(1, H, W)``, 0 outside.
        class_key: Class label that is recomputed.
        size: Window height and width in pixels, at most those of the image.
        lesion_fraction: Probability in [0, 1] of a lesion centre.
        min_lesion_pixels: Smaller slivers of a lesion leave the window negative.
        trust_unmasked: Whether a positive image without a mask keeps its label.
        allow_missing_keys: Whether a key may be absent.

    Raises:
        ValueError: If ``lesion_fraction`` is outside [0, 1].
    """

    def __init__(
        self,
        keys: KeysCollection,
        mask_key: str = "label_seg",
        class_key: str = "label_cls",
        size: Sequence[int] = (512, 384),
        lesion_fraction: float = 0.5,
        min_lesion_pixels: int = 1,
        trust_unmasked: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        if not 0 <= lesion_fraction <= 1:
            raise ValueError(f"lesion_fraction must be in [0, 1], got {lesion_fraction}")
        self.mask_key, self.class_key = mask_key, class_key
        self.size = ensure_tuple(size)
        self.lesion_fraction = lesion_fraction
        self.min_lesion_pixels = max(1, min_lesion_pixels)
        self.trust_unmasked = trust_unmasked
        self._centre: list[int] = []
        self._crop = Crop()

    def randomize(self, mask: torch.Tensor) -> None:
        """Draw the centre of the window for a mask ``(1, H, W)``."""
        lesion = np.asarray(mask[0]) > 0
        wanted = bool(self.R.rand() < self.lesion_fraction) if lesion.any() else False
        pool = np.flatnonzero(lesion == wanted)
        pool = pool if pool.size else np.arange(lesion.size)
        row, column = np.unravel_index(pool[self.R.randint(pool.size)], lesion.shape)
        self._centre = [int(row), int(column)]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop one case.

        Raises:
            DataError: If the window is larger than the image.
        """
        d = dict(data)
        shape = d[self.mask_key].shape[1:]
        if any(window > side for window, side in zip(self.size, shape, strict=True)):
            what = f"a window of {self.size} does not fit {d.get('case_id', 'an image')} of {tuple(shape)}"
            raise DataError(what, fix="set a smaller patch_size")
        self.randomize(d[self.mask_key])
        window = Crop.compute_slices(correct_crop_centers(self._centre, self.size, shape), self.size)
        for key in self.key_iterator(d):
            d[key] = self._crop(d[key], window)
        task = self.class_key.removeprefix("label_")
        if d.get(f"has_{self.mask_key.removeprefix('label_')}", True):
            d[self.class_key] = int((d[self.mask_key] > 0).sum() >= self.min_lesion_pixels)
            d[f"has_{task}"] = True
        elif not self.trust_unmasked and d[self.class_key] != 0:
            d[f"has_{task}"] = False
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Put the window back where it was, zeros around it; labels stay those of the window."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self._crop.inverse(d[key])
        return d
