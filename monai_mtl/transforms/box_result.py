"""The one box of an image, on the pixels of its file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

__all__ = ["BoxResultd"]


class BoxResultd(Transform):
    """Adds ``detection`` to ``result``: the box on the grid of the file and its score, or that nothing was found.

    For an image that was resized to the network's size with its shape kept and then padded evenly on both sides.

    Args:
        box_key: Box and score ``(5,)``, x0, y0, x1, y1 in pixels of the network's image, half open; it is dropped.
        image_key: Image as the network saw it ``(C, H, W)``; its meta data know the size of the file's.
        result_key: Where the result of the image is, a dictionary.
    """

    def __init__(self, box_key: str = "det", image_key: str = "image", result_key: str = "result") -> None:
        self.box_key, self.image_key, self.result_key = box_key, image_key, result_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Describe one case."""
        d = dict(data)
        *box, score = d.pop(self.box_key).tolist()
        found: dict[str, Any] = {"box_xyxy": None, "score": round(score, 6)}
        if score > 0:
            image = d[self.image_key]
            # The reader has x first, as MONAI's do.
            sides = [int(side) for side in image.meta["spatial_shape"]]
            seen = [image.shape[2], image.shape[1]]
            scale = max(sides) / max(seen)
            pads = [(side - min(side, round(whole / scale))) // 2 for side, whole in zip(seen, sides, strict=True)]
            places = [(value - pads[i % 2]) * scale for i, value in enumerate(box)]
            found["box_xyxy"] = [round(min(max(v, 0.0), sides[i % 2]), 2) for i, v in enumerate(places)]
        d[self.result_key] = {**d.get(self.result_key, {}), "detection": found}
        return d
