"""Inference on a whole region of a slide with a network that was trained on tiles.

Mehta et al. 2018 (Y-Net), https://arxiv.org/abs/1806.01313. The paper diagnoses a region from the tiles whose
diagnosis is sure; where it states no number, the choices are those of ours that the arguments name.
Shapes: B batch, C channels, K classes, H W pixels of the region, h w rows and columns of tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, sliding_window_inference
from monai.utils import ensure_tuple_rep
from torch import Tensor

from ..precision import Precision

__all__ = ["RegionInferer", "region_probability"]


class RegionInferer(Inferer):
    """Overlapping tiles over a region of any size: one mask, and the diagnosis of every tile as a map.

    Tiles lie on a regular grid; the last row and column are moved inside, so that the whole region is covered.
    A side shorter than a tile shortens the tile.

    Args:
        roi_size: Tile height and width, those of the training.
        overlap: Share of a tile that the next one covers, in [0, 1).
        sw_batch_size: Tiles run at once.
        mode: ``"gaussian"`` or ``"constant"`` weights where tiles overlap.
        threshold: A tile speaks for the region if its surest diagnosis exceeds this probability, in [0, 1).
        precision: In what type the network runs; its outputs have the type of the image in any case.

    Raises:
        ValueError: If ``overlap`` or ``threshold`` is outside [0, 1).
    """

    def __init__(
        self,
        roi_size: Sequence[int] | int = 384,
        overlap: float = 0.5,
        sw_batch_size: int = 1,
        mode: str = "gaussian",
        threshold: float = 0.7,
        precision: Precision | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("overlap", overlap), ("threshold", threshold)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be in [0, 1), got {value}")
        self.roi_size = ensure_tuple_rep(roi_size, 2)
        self.overlap, self.sw_batch_size, self.mode = overlap, sw_batch_size, mode
        self.threshold, self.precision = threshold, precision

    def __call__(
        self, inputs: Tensor, network: Callable[..., dict[str, Tensor]], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Run the network over a region.

        Args:
            inputs: ``(B, C, H, W)``.
            network: Returns ``seg`` ``(B, K, H, W)`` and, unless it was trained for tissue alone, ``cls`` ``(B, K)``.

        Returns:
            ``seg``: logits ``(B, K, H, W)``. ``cls_map``: logits of each tile ``(B, K, h, w)``.
            ``discriminative``: the probability of the tiles' surest diagnosis, blended as the mask,
            ``(B, 1, H, W)``. ``cls``: logits of the region ``(B, K)``, see :func:`region_probability`.
        """
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        cases = [self._region(one[None], network, *args, **kwargs) for one in image]
        if len(cases) == 1:  # joining would hold the logits of a large region twice
            return cases[0]
        return {name: torch.cat([case[name] for case in cases]) for name in cases[0]}

    def _region(self, image: Tensor, network: Callable[..., dict[str, Tensor]], *args: Any, **kwargs: Any) -> dict:
        tiles: dict[tuple[int, int], list[float]] = {}

        def _dense_outputs(window: Tensor, places: Sequence[Sequence[slice]]) -> dict[str, Tensor]:
            with nullcontext() if self.precision is None else self.precision.autocast():
                outputs = network(window, *args, **kwargs)
            dense = {"seg": outputs["seg"].to(image.dtype)}
            if "cls" in outputs:
                logits = outputs["cls"].to(image.dtype)
                # Numbers, not tensors: small pieces of memory that stay among large ones that go keep those from being
                # given back, hundreds of megabytes in bfloat16.
                corners = [(rows.start, columns.start) for *_, rows, columns in places]
                tiles.update(zip(corners, logits.tolist(), strict=True))
                surest = logits.softmax(dim=1).amax(dim=1)
                dense["discriminative"] = surest[:, None, None, None].repeat(1, 1, *window.shape[2:])
            return dense

        size = tuple(min(tile, side) for tile, side in zip(self.roi_size, image.shape[2:], strict=True))
        result: Any = sliding_window_inference(
            image, size, self.sw_batch_size, _dense_outputs, self.overlap, self.mode, with_coord=True
        )
        if tiles:
            rows = len({row for row, _ in tiles})
            found = torch.tensor([tiles[corner] for corner in sorted(tiles)], dtype=image.dtype, device=image.device)
            result["cls_map"] = found.T.unflatten(1, (rows, -1))[None]
            result["cls"] = region_probability(result["cls_map"], self.threshold).log()
        return result


def region_probability(cls_map: Tensor, threshold: float = 0.7) -> Tensor:
    """Mean probability of the tiles that are sure; of all tiles, where none is.

    Args:
        cls_map: Logits of each tile ``(B, K, h, w)``.
        threshold: A tile is sure if its largest probability exceeds it.

    Returns:
        Probabilities ``(B, K)``, which sum to 1.
    """
    tiles = cls_map.softmax(dim=1).flatten(2)
    sure = tiles.amax(dim=1) > threshold
    sure = sure | ~sure.any(dim=1, keepdim=True)
    mean = (tiles * sure[:, None]).sum(dim=2) / sure.sum(dim=1, keepdim=True)
    return mean.clamp_min(torch.finfo(mean.dtype).tiny)
