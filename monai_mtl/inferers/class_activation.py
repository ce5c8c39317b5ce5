"""Where a network looked for its image class: Grad-CAM by MONAI, for networks that answer with a dictionary."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from monai.visualize import GradCAM
from torch import Tensor, nn

from ..errors import ConfigError

__all__ = ["ClassActivation"]


class _ClassLogits(nn.Module):
    """A network with one of its outputs."""

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network, self.output = network, output

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(B, K)`` of images ``(B, C, H, W)``."""
        return self.network(image)[self.output]


class ClassActivation:
    """Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391) of the class that a network decided for.

    It works on a copy of the network, since MONAI leaves its hooks in place.

    Args:
        layer: Name of the layer whose maps are weighed.
        output: Image-level logits.

    Raises:
        ConfigError: When it is called, if the network is no module of torch or has no such layer.
    """

    def __init__(self, layer: str, output: str = "cls") -> None:
        self.layer, self.output = layer, output
        self._of: Any = None
        self._cam: Any = None

    def __call__(self, image: Tensor, network: Any, autocast: Callable[[], AbstractContextManager]) -> Tensor:
        """Map of each image.

        Args:
            image: ``(B, C, H, W)``.
            network: Module that answers with a dictionary, its weights loaded.
            autocast: Context in which it runs.

        Returns:
            ``(B, 1, H, W)`` in [0, 1], the largest value of each image 1, unless all are 0.
        """
        if self._of is not network:
            self._prepare(network)
        # Gradients are needed, and nothing made in inference mode may take part.
        with torch.inference_mode(False), torch.enable_grad():
            maps = []
            for one in image:
                with autocast():
                    maps.append(self._cam(one[None].clone()).detach().float())
        heat = torch.cat(maps)
        return heat / heat.amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)

    def _prepare(self, network: Any) -> None:
        if not isinstance(network, nn.Module):
            raise ConfigError("Grad-CAM needs the network's gradients", fix="leave explain false, or --backend torch")
        names = [name for name, _ in network.named_modules()]
        if self.layer not in names:
            raise ConfigError(f"the network has no layer '{self.layer}'", expected=", ".join(names[1:]))
        with torch.inference_mode(False):
            model = _ClassLogits(copy.deepcopy(network), self.output)
        self._cam = GradCAM(model, f"network.{self.layer}", postprocessing=lambda values: values)
        self._of = network
