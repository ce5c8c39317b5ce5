"""Loads a mask onto the grid of its image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.data import MetaTensor
from monai.transforms import Transform

from ..data.masks import load_mask

__all__ = ["LoadMaskd"]


class LoadMaskd(Transform):
    """Replaces ``label_seg``, in any form of :func:`monai_mtl.data.masks.load_mask`, by a mask ``(1, W, H)``.

    Place it after the image was loaded and before anything moves its pixels. A case without the key is left
    as it is: nobody looked.

    Args:
        mask_key: Key of the mask.
        image_key: Image ``(C, W, H)``, x first, whose grid and meta data the mask gets.
        classes: Number of mask classes.
        rescale_key: Key that allows a mask of another size, as some importers set it.
        lesion_key: Key of the class of what the mask outlines, where the mask itself does not tell it.
    """

    def __init__(
        self,
        mask_key: str = "label_seg",
        image_key: str = "image",
        classes: int = 2,
        rescale_key: str = "rescale_seg",
        lesion_key: str = "class_seg",
    ) -> None:
        self.mask_key, self.image_key, self.classes = mask_key, image_key, classes
        self.rescale_key, self.lesion_key = rescale_key, lesion_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load one case."""
        d = dict(data)
        if d.get(self.mask_key) is not None:
            image = d[self.image_key]
            size, rescale, lesion = tuple(image.shape[1:]), bool(d.get(self.rescale_key)), d.get(self.lesion_key)
            mask = load_mask(d[self.mask_key], size, self.classes, rescale, lesion)
            d[self.mask_key] = MetaTensor(mask[None], meta=dict(getattr(image, "meta", {})))
        return d
