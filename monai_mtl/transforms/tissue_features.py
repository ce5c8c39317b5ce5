"""What a region is made of: how much of each tissue, and which tissues lie beside each other.

Mehta et al. 2018 (Y-Net), https://arxiv.org/abs/1806.01313, diagnose from these two statistics of the tissue
mask. The superpixels are as in the same group's later package, https://github.com/cancertech/cancer_diagnosis
(MIT). Written from a description of it, no code copied.
Shapes: K tissues, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from skimage.segmentation import slic
from torch import Tensor

__all__ = [
    "DiagnosisFromFeaturesd",
    "TissueFeaturesd",
    "superpixels",
    "tissue_cooccurrence",
    "tissue_frequencies",
]


def superpixels(image: np.ndarray, pixels: int = 3000, block: int = 1000) -> np.ndarray:
    """Patches of even colour and similar size (SLIC), found block by block to bound the memory.

    Args:
        image: ``(H, W, 3)``, colours in [0, 1].
        pixels: Pixels of a patch, about.
        block: Longest side of a block; no patch crosses its border. The original has 5000.

    Returns:
        Number of each pixel's patch, ``(H, W)`` int32, from 0 without a gap.
    """
    patches = np.empty(image.shape[:2], np.int32)
    used = 0
    for rows in _blocks(image.shape[0], block):
        for columns in _blocks(image.shape[1], block):
            part = np.ascontiguousarray(image[rows, columns], dtype=np.float32)
            wanted = max(1, round(part.shape[0] * part.shape[1] / pixels))
            found = slic(part, n_segments=wanted, start_label=0, channel_axis=-1)
            patches[rows, columns] = np.unique(found, return_inverse=True)[1].reshape(found.shape) + used
            used = int(patches[rows, columns].max()) + 1
    return patches


def _blocks(side: int, longest: int) -> list[slice]:
    """Equal parts of a side, none above ``longest``."""
    count = -(-side // longest)
    ends = [side * i // count for i in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(ends)]


def tissue_frequencies(mask: np.ndarray, classes: int, keep: np.ndarray | None = None) -> np.ndarray:
    """Share of each tissue among the pixels.

    Args:
        mask: Tissue of each pixel ``(H, W)``.
        classes: Number of tissues K.
        keep: Pixels that count ``(H, W)``; ``None`` is all.

    Returns:
        ``(K,)``, sum 1; ``nan`` if no pixel counts.
    """
    counts = np.bincount((mask if keep is None else mask[keep]).reshape(-1), minlength=classes)
    return counts / counts.sum() if counts.any() else np.full(classes, np.nan)


def tissue_cooccurrence(
    mask: np.ndarray, patches: np.ndarray, classes: int, keep: np.ndarray | None = None
) -> np.ndarray:
    """Share of each pair of tissues among the pairs of patches that touch.

    A patch is of the tissue that most of its pixels have, of two the smaller number.

    Args:
        mask: Tissue of each pixel ``(H, W)``.
        patches: Number of each pixel's patch ``(H, W)``, as :func:`superpixels` gives it.
        classes: Number of tissues K.
        keep: Pixels that count ``(H, W)``; a patch without any does not count. ``None`` is all.

    Returns:
        ``(K * (K + 1) / 2,)``, sum 1: the upper triangle of the symmetric table with its diagonal, row by
        row; ``nan`` if no two patches touch.
    """
    count = int(patches.max()) + 1
    index = patches.astype(np.int64) * classes + mask
    votes = np.bincount((index if keep is None else index[keep]).reshape(-1), minlength=count * classes)
    votes = votes.reshape(count, classes)
    tissue, counted = votes.argmax(axis=1), votes.sum(axis=1)
    pairs = np.concatenate(
        [_touching(patches[:, :-1], patches[:, 1:], count), _touching(patches[:-1], patches[1:], count)]
    )
    one, other = np.divmod(np.unique(pairs), count)
    both = (counted[one] > 0) & (counted[other] > 0)
    low, high = np.sort([tissue[one[both]], tissue[other[both]]], axis=0)
    table = np.zeros((classes, classes))
    np.add.at(table, (low, high), 1)
    values = table[np.triu_indices(classes)]
    return values / values.sum() if values.any() else np.full(len(values), np.nan)


def _touching(here: np.ndarray, there: np.ndarray, count: int) -> np.ndarray:
    """Each pair of unlike neighbours as one number, smaller patch first."""
    border = here != there
    one, other = here[border].astype(np.int64), there[border].astype(np.int64)
    return np.minimum(one, other) * count + np.maximum(one, other)


class TissueFeaturesd(Transform):
    """Writes the features of a region: K tissue frequencies, then K (K + 1) / 2 co-occurrences; 44 for 8 tissues.

    Only pixels count whose tiles have a sure diagnosis; where none has, all do.

    Args:
        classes: Number of tissues K.
        mask_key: Tissue of each pixel ``(H, W)`` or ``(1, H, W)``.
        image_key: Image ``(3, H, W)`` on the same grid, colours in [0, 1].
        map_key: Probability of the surest diagnosis ``(1, H, W)``, as
            :class:`monai_mtl.inferers.RegionInferer` gives it; ``None`` counts every pixel.
        threshold: Probability above which a pixel counts.
        features_key: Where the features, float32, are written.
        pixels: Pixels of a superpixel, about.

    Raises:
        ValueError: If ``classes`` is below 2, ``threshold`` outside [0, 1) or ``pixels`` below 1.
    """

    def __init__(
        self,
        classes: int = 8,
        mask_key: str = "pred",
        image_key: str = "image",
        map_key: str | None = "discriminative",
        threshold: float = 0.7,
        features_key: str = "features",
        pixels: int = 3000,
    ) -> None:
        if classes < 2 or not 0 <= threshold < 1 or pixels < 1:
            given = f"classes {classes}, threshold {threshold}, pixels {pixels}"
            raise ValueError(f"TissueFeaturesd expects classes >= 2, threshold in [0, 1), pixels >= 1; got {given}")
        self.classes, self.threshold, self.pixels = classes, threshold, pixels
        self.mask_key, self.image_key, self.map_key, self.features_key = mask_key, image_key, map_key, features_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Describe one region.

        Raises:
            ValueError: If the mask has another size than the image or a value of ``classes`` or more.
        """
        d = dict(data)
        image, mask = _array(d[self.image_key]), _array(d[self.mask_key])
        mask = mask.reshape(mask.shape[-2:]).astype(np.uint8)
        if mask.shape != image.shape[1:]:
            raise ValueError(f"the mask has {mask.shape} pixels, its image {image.shape[1:]}")
        if mask.max() >= self.classes:
            raise ValueError(f"the mask holds tissue {mask.max()}, the last of {self.classes} is {self.classes - 1}")
        keep: np.ndarray | None = None
        if self.map_key is not None:
            sure = _array(d[self.map_key])[0] > self.threshold
            keep = sure if sure.any() else None
        patches = superpixels(image.transpose(1, 2, 0), self.pixels)
        features = [
            tissue_frequencies(mask, self.classes, keep),
            tissue_cooccurrence(mask, patches, self.classes, keep),
        ]
        d[self.features_key] = torch.from_numpy(np.concatenate(features).astype(np.float32))
        return d


class DiagnosisFromFeaturesd(Transform):
    """Diagnosis of a region from its features, by a network trained on features.

    Args:
        network: As :class:`monai_mtl.networks.TissueDiagnosis`.
        features_key: Features ``(F,)``.
        probability_key: Where the probabilities ``(K,)`` are written.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Mapping[str, Tensor]],
        features_key: str = "features",
        probability_key: str = "diagnosis",
    ) -> None:
        self.network, self.features_key, self.probability_key = network, features_key, probability_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Diagnose one region."""
        d = dict(data)
        with torch.inference_mode():
            d[self.probability_key] = self.network(d[self.features_key][None])["cls"].softmax(dim=1)[0]
        return d


def _array(value: Any) -> np.ndarray:
    return value.as_subclass(Tensor).cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
