"""Inference for networks that answer with maps and with image-level logits at once.

MONAI's ``SlidingWindowInferer`` raises on an image-level output, and silently changes the mask when an
output of another size is sorted before it; so windows are used for the dense outputs only.
Shapes: B batch, C channels, K classes, H W space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from monai.data import MetaTensor
from monai.data.utils import dense_patch_slices
from monai.inferers import Inferer, sliding_window_inference
from monai.utils import ensure_tuple
from torch import Tensor

from ..precision import Precision
from .class_activation import ClassActivation

__all__ = ["MultiTaskInferer"]

IMAGE_LEVEL_RULES = ("whole", "max")


class MultiTaskInferer(Inferer):
    """Whole image by default; with ``roi_size``, overlapping windows for the dense outputs.

    The image-level outputs then follow one of two rules: ``"whole"`` runs the network on the whole image
    for them, exact but as large as without windows; ``"max"`` takes, for each image, all of them from
    the window that is surest of a foreground, and adds ``window`` ``(B, 4)``: its first row and column and
    those after its last, in pixels. For multi-instance classification the latter is the same rule as
    inside one window: the most suspicious place speaks for the image.

    Args:
        roi_size: Window height and width, or ``None`` for no windows. An image no larger than a window
            is run whole.
        dense: Names of outputs with one value a pixel.
        image_level: ``"whole"`` or ``"max"``.
        class_output: The output ``(B, K)`` that decides under ``"max"``; class 0 is the background.
        overlap: Share of a window that the next one covers, in [0, 1).
        sw_batch_size: Windows run at once.
        mode: ``"gaussian"`` or ``"constant"`` weights where windows overlap.
        precision: In what type the network runs; its outputs are float32 in any case. ``None`` leaves all as it is.
        cam_layer: Name of a layer; the outputs then hold ``cls_cam`` ``(B, 1, H, W)``, the
            :class:`monai_mtl.inferers.ClassActivation` of ``class_output`` for the whole image.

    Raises:
        ValueError: If ``image_level`` is unknown or ``overlap`` is outside [0, 1).
    """

    def __init__(
        self,
        roi_size: Sequence[int] | None = None,
        dense: Sequence[str] = ("seg",),
        image_level: str = "whole",
        class_output: str = "cls",
        overlap: float = 0.25,
        sw_batch_size: int = 1,
        mode: str = "gaussian",
        precision: Precision | None = None,
        cam_layer: str | None = None,
    ) -> None:
        super().__init__()
        self.precision = precision
        self._cam = None if cam_layer is None else ClassActivation(cam_layer, class_output)
        if image_level not in IMAGE_LEVEL_RULES:
            raise ValueError(f"image_level must be one of {IMAGE_LEVEL_RULES}, got '{image_level}'")
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must be in [0, 1), got {overlap}")
        self.roi_size = None if roi_size is None else ensure_tuple(roi_size)
        self.dense, self.image_level, self.class_output = tuple(dense), image_level, class_output
        self.overlap, self.sw_batch_size, self.mode = overlap, sw_batch_size, mode

    def __call__(
        self, inputs: Tensor, network: Callable[..., dict[str, Tensor]], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Run the network.

        Args:
            inputs: ``(B, C, H, W)``.
            network: Returns a dictionary of outputs by name.

        Returns:
            The same names for the whole image; training networks get no windows.
        """
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        outputs = self._outputs(image, network, *args, **kwargs)
        if self._cam is not None:
            autocast = nullcontext if self.precision is None else self.precision.autocast
            outputs = {**outputs, "cls_cam": self._cam(image, network, autocast)}
        return outputs

    def _outputs(self, image: Tensor, network: Callable[..., dict[str, Tensor]], *args: Any, **kwargs: Any) -> dict:
        if self.precision is not None:
            network = _in_precision(network, self.precision)
        small = self.roi_size is None or all(s <= r for s, r in zip(image.shape[2:], self.roi_size, strict=True))
        if small:
            return network(image, *args, **kwargs)
        # One image at a time, so that every window's outputs belong to it.
        cases = [self._windows(one[None], network, *args, **kwargs) for one in image]
        return {name: torch.cat([case[name] for case in cases]) for name in cases[0]}

    def _windows(self, image: Tensor, network: Callable[..., dict[str, Tensor]], *args: Any, **kwargs: Any) -> dict:
        best: dict[str, Tensor] = {}
        places = iter(self._places(image))

        def _dense_outputs(window: Tensor) -> dict[str, Tensor]:
            outputs = network(window, *args, **kwargs)
            if self.image_level == "max":
                self._keep_surest(outputs, best, places)
            return {name: outputs[name] for name in self.dense}

        result: Any = sliding_window_inference(
            image, self.roi_size or -1, self.sw_batch_size, _dense_outputs, overlap=self.overlap, mode=self.mode
        )
        if self.image_level == "whole":
            outputs = network(image, *args, **kwargs)
            best = {name: value for name, value in outputs.items() if name not in self.dense}
        return {**result, **best}

    def _keep_surest(self, outputs: dict[str, Tensor], best: dict[str, Tensor], places: Iterator[list[int]]) -> None:
        for i, logits in enumerate(outputs[self.class_output]):
            place = torch.tensor([next(places)])
            if not best or _log_odds(logits) > _log_odds(best[self.class_output][0]):
                best.update({name: value[i : i + 1] for name, value in outputs.items() if name not in self.dense})
                best["window"] = place

    def _places(self, image: Tensor) -> list[list[int]]:
        """Windows of one image in MONAI's order; an image narrower than a window is centred in it."""
        roi = self.roi_size or ()
        shape = tuple(image.shape[2:])
        padded = tuple(max(side, window) for side, window in zip(shape, roi, strict=True))
        steps = tuple(w if w == p else max(1, int(w * (1 - self.overlap))) for w, p in zip(roi, padded, strict=True))
        before = [(p - side) // 2 for p, side in zip(padded, shape, strict=True)]
        slices = dense_patch_slices(padded, roi, steps)
        starts = [[int(s.start) - b for s, b in zip(window, before, strict=True)] for window in slices]
        return [[*start, *(first + size for first, size in zip(start, roi, strict=True))] for start in starts]


def _in_precision(network: Callable[..., dict[str, Tensor]], precision: Precision) -> Callable[..., dict[str, Tensor]]:
    def run(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """As the network, with outputs in float32."""
        with precision.autocast():
            outputs = network(*args, **kwargs)
        return {name: value.float() if value.is_floating_point() else value for name, value in outputs.items()}

    return run


def _log_odds(logits: Tensor) -> float:
    return float(torch.logsumexp(logits[1:], dim=0) - logits[0])
