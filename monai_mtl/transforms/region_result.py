"""From the outputs over a region to what a person or a program reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

__all__ = ["MaskFromLogitsd", "RegionResultd"]


class MaskFromLogitsd(Transform):
    """Most probable class of each pixel; the logits are dropped.

    Args:
        logits_key: Logits ``(K, H, W)``.
        mask_key: Where the class indices ``(1, H, W)``, uint8, are written.
    """

    def __init__(self, logits_key: str = "seg", mask_key: str = "pred") -> None:
        self.logits_key, self.mask_key = logits_key, mask_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decide one case."""
        d = dict(data)
        # Invertd leaves a plain tensor as it is, with no more than a warning.
        d[self.mask_key] = MetaTensor(d.pop(self.logits_key).argmax(dim=0, keepdim=True).to(torch.uint8))
        return d


class RegionResultd(Transform):
    """Writes ``result``: diagnosis of the region, that of each tile, share of each tissue, features if there are any.

    The value is plain JSON; MONAI Label sends it to its client.

    Args:
        seg_classes: Names of the tissues, index 0 first.
        cls_classes: Names of the diagnoses.
        threshold: A tile is sure if its largest probability exceeds it, as in
            :class:`monai_mtl.inferers.RegionInferer`.
        mask_key: Tissue of each pixel ``(1, H, W)`` or ``(H, W)``.
        class_key: Logits of the region ``(K,)``; a case without it has no diagnosis.
        map_key: Logits of the tiles ``(K, h, w)``.
        features_key: Features, as :class:`monai_mtl.transforms.TissueFeaturesd` writes them.
    """

    def __init__(
        self,
        seg_classes: Sequence[str],
        cls_classes: Sequence[str],
        threshold: float = 0.7,
        mask_key: str = "pred",
        class_key: str = "cls",
        map_key: str = "cls_map",
        features_key: str = "features",
    ) -> None:
        self.seg_classes, self.cls_classes, self.threshold = list(seg_classes), list(cls_classes), threshold
        self.mask_key, self.class_key, self.map_key, self.features_key = mask_key, class_key, map_key, features_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Describe one case."""
        d = dict(data)
        mask = np.asarray(torch.as_tensor(d[self.mask_key]).cpu()).astype(np.int64)
        counts = np.bincount(mask.reshape(-1), minlength=len(self.seg_classes))
        result: dict[str, Any] = {
            "tissue": {name: round(float(n / mask.size), 6) for name, n in zip(self.seg_classes, counts, strict=True)}
        }
        if self.class_key in d:
            result["classification"] = self._diagnosis(torch.as_tensor(d[self.class_key]))
            result["tiles"] = self._tiles(torch.as_tensor(d[self.map_key]))
        if self.features_key in d:
            result["features"] = [round(float(value), 6) for value in d[self.features_key]]
        d["result"] = result
        return d

    def _diagnosis(self, logits: torch.Tensor) -> dict[str, Any]:
        probabilities = logits.float().softmax(dim=0).tolist()
        surest = max(range(len(probabilities)), key=probabilities.__getitem__)
        return {
            "label": self.cls_classes[surest],
            "probabilities": {name: round(p, 6) for name, p in zip(self.cls_classes, probabilities, strict=True)},
        }

    def _tiles(self, logits: torch.Tensor) -> dict[str, Any]:
        """Row by row; a tile that is not sure has a diagnosis all the same."""
        largest, surest = logits.float().softmax(dim=0).max(dim=0)
        return {
            "label": [[self.cls_classes[index] for index in row] for row in surest.tolist()],
            "probability": [[round(p, 6) for p in row] for row in largest.tolist()],
            "sure": int((largest > self.threshold).sum()),
            "threshold": self.threshold,
        }
