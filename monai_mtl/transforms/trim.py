"""A little off opposite sides of a tile: the augmentation of Y-Net, https://arxiv.org/abs/1806.01313."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform, Resize
from monai.utils import ensure_tuple_rep

from ..errors import DataError

__all__ = ["RandTrimd"]


class RandTrimd(RandomizableTransform, MapTransform):
    """Cuts the same random margin off opposite sides and brings what is left back to the old size and type.

    Top and bottom lose the same, left and right lose the same; each of the two margins is drawn for itself.

    Args:
        keys: Tensors ``(C, H, W)`` to trim alike.
        max_trim: Largest margin in pixels.
        prob: Probability.
        mode: Interpolation of each key, as MONAI's ``Resize`` names it.
        allow_missing_keys: Whether a key may be absent.

    Raises:
        ValueError: If ``max_trim`` is negative.
    """

    def __init__(
        self,
        keys: KeysCollection,
        max_trim: int = 20,
        prob: float = 0.5,
        mode: Sequence[str] | str = "bilinear",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if max_trim < 0:
            raise ValueError(f"max_trim must be >= 0, got {max_trim}")
        self.max_trim = max_trim
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        self._margins = (0, 0)

    def randomize(self, data: Any = None) -> None:
        """Draw whether to trim, and both margins."""
        super().randomize(data)
        rows, columns = self.R.randint(0, self.max_trim + 1, size=2)
        self._margins = (int(rows), int(columns))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Trim one case.

        Raises:
            DataError: If a side is not longer than two of the largest margins.
        """
        d = dict(data)
        for key in self.key_iterator(d):
            height, width = d[key].shape[1:]
            if min(height, width) <= 2 * self.max_trim:
                what = f"{d.get('case_id', key)} of {height} x {width} pixels has no room for margins up to"
                raise DataError(f"{what} {self.max_trim}", fix="set a smaller max_trim")
        self.randomize()
        if not self._do_transform or not any(self._margins):
            return d
        top, left = self._margins
        for key, mode in self.key_iterator(d, self.mode):
            height, width = d[key].shape[1:]
            kept = d[key][:, top : height - top, left : width - left]
            # Resize gives float32; one type, else workers cannot put tiles that were trimmed beside others.
            d[key] = Resize((height, width), mode=mode)(kept).to(d[key].dtype)
        return d
