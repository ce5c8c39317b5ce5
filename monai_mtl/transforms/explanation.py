"""From a coarse map of a network to a map of the image that explains an answer."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch.nn.functional import interpolate

__all__ = ["ExplanationMapd"]


class ExplanationMapd(Transform):
    """Brings a map to the size of the image that the network saw, with values in [0, 1].

    Several channels are class logits, of which the probability of not being class 0 is shown; one is shown as it is.
    Each cell is as large as the part of the image that it speaks for; nothing is smoothed. A map of a part of the image
    (``window`` of :class:`monai_mtl.inferers.MultiTaskInferer`) is 0 outside it.

    Args:
        map_key: Map ``(K, h, w)``; a case without it stays as it is.
        method: What the map is, in words, told in ``result``.
        image_key: Image as the network saw it ``(C, H, W)``; only its size is used.
        explanation_key: Where the map ``(1, H, W)`` is written.
    """

    def __init__(
        self, map_key: str, method: str, image_key: str = "image", explanation_key: str = "explanation"
    ) -> None:
        self.map_key, self.method, self.image_key, self.explanation_key = map_key, method, image_key, explanation_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Explain one case."""
        d = dict(data)
        if self.map_key not in d:
            return d
        values = torch.as_tensor(d[self.map_key]).as_subclass(torch.Tensor).float()
        if values.shape[0] > 1:
            values = values.softmax(dim=0)[1:].sum(dim=0, keepdim=True)
        height, width = d[self.image_key].shape[1:]
        top, left, bottom, right = (int(side) for side in d.get("window", (0, 0, height, width)))
        part = interpolate(values[None], size=(bottom - top, right - left), mode="nearest-exact")[0]
        whole = part.new_zeros(1, height, width)
        rows, columns = (slice(max(first, 0), last) for first, last in ((top, bottom), (left, right)))
        inside = part[:, rows.start - top :, columns.start - left :]  # a window may be wider than the image
        shown = whole[:, rows, columns]
        shown.copy_(inside[:, : shown.shape[1], : shown.shape[2]])
        # Invertd leaves a plain tensor as it is, with no more than a warning.
        d[self.explanation_key] = MetaTensor(whole.clamp(0, 1))
        d["result"] = {**d["result"], "explanation": {"method": self.method}}
        return d
