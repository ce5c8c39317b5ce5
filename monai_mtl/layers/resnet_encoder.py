"""MONAI's ResNet as an encoder, with the weights' names of torchvision and timm, on a grid as fine as one asks.

He et al. 2016, https://arxiv.org/abs/1512.03385; dilation instead of strides: Chen et al. 2015,
https://arxiv.org/abs/1412.7062.
"""

from __future__ import annotations

from monai.networks.nets.resnet import ResNet
from torch import nn

__all__ = ["OUTPUT_STRIDES", "RESNET_DEPTHS", "dilate_resnet", "resnet_encoder"]

_BLOCKS: dict[int, tuple[str, tuple[int, ...]]] = {
    10: ("basic", (1, 1, 1, 1)),
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
}
RESNET_DEPTHS = tuple(_BLOCKS)
"""Layers of the ResNets that can be built."""
OUTPUT_STRIDES = (32, 16, 8)
"""Pixels of the image per position of the last stage, ResNet's own first."""


def resnet_encoder(depth: int, in_channels: int = 3, width: int = 64) -> ResNet:
    """A ResNet without its classifier.

    Args:
        depth: One of :data:`RESNET_DEPTHS`.
        in_channels: Image channels.
        width: Channels of the first stage; ResNet's own is 64.

    Raises:
        ValueError: If there is no ResNet of this depth.
    """
    if depth not in _BLOCKS:
        raise ValueError(f"ResNet's depth must be one of {RESNET_DEPTHS}, got {depth}")
    block, counts = _BLOCKS[depth]
    return ResNet(
        block,
        list(counts),
        [width, 2 * width, 4 * width, 8 * width],
        spatial_dims=2,
        n_input_channels=in_channels,
        conv1_t_stride=2,
        feed_forward=False,
        bias_downsample=False,
    )


def dilate_resnet(encoder: ResNet, output_stride: int) -> None:
    """Give the last stages dilation instead of strides, so that they keep a finer grid.

    Every second (fourth) row and column of the result is what the encoder computed before, to the last place: the
    weights stay useful.

    Args:
        encoder: A ResNet of stride 32, changed in place.
        output_stride: One of :data:`OUTPUT_STRIDES`; 32 changes nothing.

    Raises:
        ValueError: If the stride is another.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride must be one of {OUTPUT_STRIDES}, got {output_stride}")
    stages = {32: (), 16: (encoder.layer4,), 8: (encoder.layer3, encoder.layer4)}[output_stride]
    dilation = 1
    for stage in stages:
        for conv in (m for m in stage.modules() if isinstance(m, nn.Conv2d)):
            strided, conv.stride = conv.stride != (1, 1), (1, 1)
            if conv.kernel_size == (3, 3):
                conv.dilation = conv.padding = (dilation, dilation)
                # What strode still reads the grid before it; all that follows reads every second position.
                dilation *= 2 if strided else 1
