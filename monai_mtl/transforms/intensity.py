"""Grey values on the scale that the networks are trained on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..errors import ImageError

__all__ = ["NormalizeForegroundd", "ScaleTo8Bitd"]

SMALLEST = 1e-6
"""Standard deviation that a flat part is taken to have."""


class ScaleTo8Bitd(MapTransform):
    """Brings images of more than 8 bits to 0..255 by their own minimum and maximum; 8 bits stay as they are.

    The values stay floating point, nothing is rounded. Place it after the breast crop, so that the air
    outside does not set the minimum. Refuses non-finite values.

    Args:
        keys: Images ``(C, H, W)`` whose meta data hold ``bits``, as
            :class:`monai_mtl.data.MedicalReader` writes it.
        allow_missing_keys: Whether a key may be absent.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Scale.

        Raises:
            ImageError: If a value is not finite.
        """
        d = dict(data)
        for key in self.key_iterator(d):
            image = d[key].float()
            low, high = torch.aminmax(image)  # either tells of a value that is not finite
            if not bool(torch.isfinite(low) & torch.isfinite(high)):
                raise ImageError(f"non-finite values in {data.get('case_id', key)}", fix="repair the image")
            if getattr(image, "meta", {}).get("bits", 8) > 8:
                image = (image - low) * (255.0 / (high - low).clamp_min(1e-6))
            d[key] = image
        return d


class NormalizeForegroundd(MapTransform):
    """Brings the selected part of an image to mean 0 and standard deviation 1; all of the image is shifted and scaled.

    For images whose scanners differ in offset and gain, which this undoes. MONAI's ``NormalizeIntensityd`` selects by
    "not zero", which the air around a breast often is.

    Args:
        keys: Images ``(C, H, W)``.
        select_fn: Tells the part, as that of ``CropForegroundd``: true inside, ``(C, H, W)``.
        allow_missing_keys: Whether a key may be absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        select_fn: Callable[[torch.Tensor], torch.Tensor],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.select_fn = select_fn

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Normalise."""
        d = dict(data)
        for key in self.key_iterator(d):
            image = d[key].float()
            inside = image[self.select_fn(image)]
            d[key] = (image - float(inside.mean())) / max(float(inside.std(correction=0)), SMALLEST)
        return d
