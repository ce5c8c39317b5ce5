"""Finds the breast in a mammogram, for MONAI's ``CropForegroundd``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.transforms.utils import get_largest_connected_component_mask
from monai.utils import convert_to_tensor
from skimage.filters import threshold_otsu
from torch import Tensor

from ..errors import DataError

__all__ = ["BreastForeground"]

OTSU_BINS = 256
"""Of scikit-image, for floating point images."""


class BreastForeground:
    """Selects the columns that the breast covers: the ``select_fn`` of ``CropForegroundd``.

    The breast is the largest connected component above a threshold. By default whole columns are
    selected, so that only the blank left and right borders go, as in the HDS paper, which does not state
    its threshold.

    Args:
        threshold: ``"otsu"`` (scikit-image), or a grey value that the breast exceeds (0 where air is
            exactly 0, as in INbreast).
        otsu_fraction: Factor in (0, 1] on Otsu's threshold, which lies between air and dense tissue and so cuts
            the faint rim of a fatty breast.
        whole_columns: Whether to keep the full height; else the box is tight in both directions.

    Raises:
        ValueError: If ``threshold`` is another word or ``otsu_fraction`` is out of range.
    """

    def __init__(self, threshold: str | float = "otsu", otsu_fraction: float = 1.0, whole_columns: bool = True) -> None:
        if isinstance(threshold, str) and threshold != "otsu":
            raise ValueError(f"threshold must be 'otsu' or a number, got '{threshold}'")
        if not 0 < otsu_fraction <= 1:
            raise ValueError(f"otsu_fraction must be in (0, 1], got {otsu_fraction}")
        self.threshold = threshold
        self.otsu_fraction = otsu_fraction
        self.whole_columns = whole_columns

    def __call__(self, image: NdarrayOrTensor) -> Tensor:
        """Select.

        Args:
            image: ``(C, H, W)``, rows first.

        Returns:
            True where the box must reach, ``(C, H, W)``.

        Raises:
            DataError: If the image is constant or nothing exceeds the threshold.
        """
        grey = convert_to_tensor(image, track_meta=False)
        low, high = torch.aminmax(grey)
        if bool(low == high):
            raise DataError(f"{_name(image)} is blank: every pixel has the same value", fix="leave it out")
        otsu = self.threshold == "otsu"
        level = self.otsu_fraction * _otsu(grey.numpy()) if otsu else float(self.threshold)
        above = grey > level
        if not bool(above.any()):
            fix = "lower the threshold of BreastForeground"
            raise DataError(f"no breast found in {_name(image)}: no pixel above {level:g}", fix=fix)
        columns_first = above.stride(-2) == 1  # labelling is quickest along the memory
        above = above.mT if columns_first else above
        breast = torch.as_tensor(get_largest_connected_component_mask(above)).bool()
        breast = breast.mT if columns_first else breast
        return breast.any(dim=-2, keepdim=True).expand_as(breast) if self.whole_columns else breast


def _otsu(grey: np.ndarray) -> float:
    """scikit-image's threshold; stored integers are counted first, in half the time of a histogram of floats."""
    values = grey.ravel(order="K")
    whole = values.astype(np.uint16) if values.min() >= 0 and values.max() < 1 << 16 else None
    if whole is None or not np.array_equal(whole, values):
        return float(threshold_otsu(values))
    counts = np.bincount(whole)
    ends = (int(np.flatnonzero(counts)[0]), len(counts) - 1)
    histogram, edges = np.histogram(np.arange(len(counts)), OTSU_BINS, ends, weights=counts)
    return float(threshold_otsu(hist=(histogram, (edges[:-1] + edges[1:]) / 2)))


def _name(image: object) -> str:
    return Path(str(getattr(image, "meta", {}).get("filename_or_obj", "the image"))).name
