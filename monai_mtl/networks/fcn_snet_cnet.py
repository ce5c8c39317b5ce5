"""FCN with S-Net and C-Net: one mammogram in, a mask of lesions and the probability of cancer out.

Paper: Le, Thome, Bernard, Bismuth, Patoureaux 2019, "Multitask Classification and Segmentation for Cancer Diagnosis in
Mammography", MIDL, extended abstract, https://arxiv.org/abs/1909.05397.
Original code: none was published. Written from a description of the abstract, no code copied.

Choices where the abstract is silent:
    * a ResNet-50 (the abstract says ResNet), with as fine a grid as ``output_stride`` asks for;
    * three classes of pixels: background, benign lesion, malignant lesion;
    * one linear layer on the averaged features for one logit, the cancer's.

Shapes in this module: B batch, C channels, K classes, H W pixels, h w positions of the last stage.
"""

from torch import Tensor, nn

from ..layers.encoder_weights import LocalEncoderWeights
from ..layers.pooling import LogSumExpPool2d
from ..layers.resnet_encoder import OUTPUT_STRIDES, dilate_resnet, resnet_encoder
from ..layers.upsampling import LearnedUpsample2d

__all__ = ["FCNSNetCNet"]

_DEPTHS = (50, 18, 34, 101)


class _SNet(nn.Module):
    """1x1 convolution to class maps, then one enlargement to the image's size."""

    def __init__(self, channels: int, classes: int, stride: int, upsample: str) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels, classes, 1)
        bilinear = nn.Upsample(scale_factor=float(stride), mode="bilinear", align_corners=False)
        self.up = LearnedUpsample2d(classes, stride) if upsample == "deconv" else bilinear

    def forward(self, features: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)`` to logits ``(B, K, H, W)``."""
        return self.up(self.head(features))


class _AveragePool2d(nn.Module):
    """Average over space."""

    def forward(self, input: Tensor) -> Tensor:
        """Pool ``(B, C, h, w)`` to ``(B, C)``."""
        return input.mean(dim=(2, 3))


class _CNet(nn.Module):
    """Pooling over space and one linear layer."""

    def __init__(self, channels: int, classes: int, pool: str, sharpness: float) -> None:
        super().__init__()
        self.pool = LogSumExpPool2d(sharpness) if pool == "log_sum_exp" else _AveragePool2d()
        self.head = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)`` to logits ``(B, K)``."""
        return self.head(self.pool(features))


class FCNSNetCNet(LocalEncoderWeights):
    """Fully convolutional ResNet whose last features are read twice: pixel by pixel, and as a whole.

    The defaults have 23,516,228 parameters and need 84.08 GMAC for one 3x1152x896 image.

    Args:
        in_channels: Image channels ``C``: a grey image shown three times, or 1, which computes the same from weights
            that :meth:`load_encoder` has summed, with less work.
        seg_classes: Classes of a pixel, background first, >= 2.
        cls_classes: 1 is one logit, for a sigmoid; 2 or more are logits for a softmax.
        encoder_depth: Layers of the ResNet: 50, 18, 34 or 101.
        width: Channels of its first stage; 64 fits published weights.
        output_stride: Pixels per position of the last stage: 32, 16 or 8. A smaller one outlines small lesions
            better; all needs 84.08, 127.70 or 392.55 GMAC then.
        upsample: How S-Net enlarges its maps: ``"bilinear"``, or ``"deconv"``, a transposed convolution that begins as
            that.
        pool: How C-Net pools: ``"average"``, or ``"log_sum_exp"``, in which a small lesion counts more.
        pool_sharpness: Of ``"log_sum_exp"``, > 0: small is near the average, large near the maximum.
        encoder_lr_mult: Factor of the encoder's learning rate in :meth:`parameter_groups`, >= 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> net = FCNSNetCNet(encoder_depth=18, width=8).eval()
        >>> out = net(torch.zeros(2, 3, 64, 96))
        >>> {name: tuple(value.shape) for name, value in out.items()}
        {'seg': (2, 3, 64, 96), 'cls': (2, 1)}
    """

    def __init__(
        self,
        in_channels: int = 3,
        seg_classes: int = 3,
        cls_classes: int = 1,
        encoder_depth: int = 50,
        width: int = 64,
        output_stride: int = 32,
        upsample: str = "bilinear",
        pool: str = "average",
        pool_sharpness: float = 1.0,
        encoder_lr_mult: float = 0.1,
    ) -> None:
        super().__init__()
        _check(min(in_channels, cls_classes) >= 1 and seg_classes >= 2, "channels, cls_classes >= 1, seg_classes >= 2")
        _check(encoder_depth in _DEPTHS and width >= 1, f"encoder_depth one of {_DEPTHS}, width >= 1")
        _check(output_stride in OUTPUT_STRIDES, f"output_stride one of {OUTPUT_STRIDES}")
        _check(upsample in ("bilinear", "deconv"), "upsample 'bilinear' or 'deconv'")
        _check(
            pool in ("average", "log_sum_exp") and pool_sharpness > 0, "pool 'average' or 'log_sum_exp', sharpness > 0"
        )
        _check(encoder_lr_mult >= 0, "encoder_lr_mult >= 0")
        self.output_stride, self.encoder_lr_mult = output_stride, encoder_lr_mult

        self.encoder = resnet_encoder(encoder_depth, in_channels, width)
        channels = self.encoder.in_planes
        dilate_resnet(self.encoder, output_stride)
        self.s_net = _SNet(channels, seg_classes, output_stride, upsample)
        self.c_net = _CNet(channels, cls_classes, pool, pool_sharpness)

    def parameter_groups(self, learning_rate: float) -> list[dict]:
        """Parameters for an optimiser: the two heads at ``learning_rate``, the encoder at its own.

        Args:
            learning_rate: Rate of the heads; the encoder gets it times ``encoder_lr_mult``.
        """
        heads = [*self.s_net.parameters(), *self.c_net.parameters()]
        encoder = list(self.encoder.parameters())
        return [{"params": heads, "lr": learning_rate}, {"params": encoder, "lr": learning_rate * self.encoder_lr_mult}]

    def features(self, image: Tensor) -> Tensor:
        """Last stage of the encoder, what both heads read.

        Args:
            image: ``(B, C, H, W)``.

        Returns:
            ``(B, channels, h, w)``, ``h = H / output_stride``.
        """
        net = self.encoder
        first = net.maxpool(net.act(net.bn1(net.conv1(image))))
        return net.layer4(net.layer3(net.layer2(net.layer1(first))))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Both answers.

        Args:
            image: ``(B, C, H, W)``, H and W multiples of ``output_stride``.

        Returns:
            ``seg``: mask logits ``(B, K, H, W)``. ``cls``: image logits ``(B, K)``.

        Raises:
            ValueError: If H or W is not a multiple of ``output_stride``.
        """
        if image.shape[2] % self.output_stride != 0 or image.shape[3] % self.output_stride != 0:
            raise ValueError(f"height and width must be multiples of {self.output_stride}, got {image.shape}")
        features = self.features(image)
        return {"seg": self.s_net(features), "cls": self.c_net(features)}


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError("FCNSNetCNet expects " + expected)
