"""ACSNet: one ultrasound image of the breast in, tumour mask and benign or malignant out.

Paper: He, Yang, Su, Wang 2024, Computers in Biology and Medicine.
Original code: https://github.com/qqhe-frank/BUS-segmentation-and-classification (no licence). Written from a
description of it, no code copied.

Differences from the authors' code:
    * the deformable convolution is the standard one (their file is missing from the release);
    * the encoder's classifier, which nothing used, is gone, and no layer is registered twice;
    * any height and width that are multiples of 32, one or more mask classes;
    * the two statistics that standardise an image live in the network as buffers, so that they travel with the
      weights; their default (0 and 1) changes nothing.

Shapes in this module: B batch, C channels, K classes, H W pixels.
"""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.attention import ChannelAttention, DeformableSpatialAttention
from ..layers.deform_conv import DeformConv2d
from ..layers.encoder_weights import LocalEncoderWeights
from ..layers.gates import GateUnit, conv_group_norm
from ..layers.resnet_encoder import resnet_encoder

__all__ = ["ACSNet", "convert_authors_state_dict"]

_DEPTHS = (18, 34, 10)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


def _decoder_stage(channels: int) -> nn.Sequential:
    groups = channels // 32
    return nn.Sequential(*conv_group_norm(channels, channels, groups), *conv_group_norm(channels, channels, groups))


def _narrow(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True))


class _Classifier(nn.Module):
    """Two encoder stages and a decoder stage, each with channel attention, averaged over space."""

    def __init__(self, fine: int, coarse: int, decoded: int, classes: int) -> None:
        super().__init__()
        self.fine, self.coarse, self.decoded = (ChannelAttention(width) for width in (fine, coarse, decoded))
        total = fine + coarse + decoded
        self.head = nn.Sequential(nn.Linear(total, total // 2), nn.ReLU(inplace=True), nn.Linear(total // 2, classes))

    def forward(self, fine: Tensor, coarse: Tensor, decoded: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)``, the coarse one half as large, to logits ``(B, K)``."""
        maps = [self.fine(fine), _double(self.coarse(coarse)), self.decoded(decoded)]
        return self.head(torch.cat(maps, dim=1).mean(dim=(2, 3)))


class ACSNet(LocalEncoderWeights):
    """U-shaped network with gated skips and deformable attention, whose features also tell the class.

    The defaults have 31,824,945 parameters (``deformable=False`` 31,264,965) and need 23.70 GMAC for one 3x256x256
    image, sampling between pixels not counted.

    Args:
        in_channels: Image channels ``C``. The authors show a grey image three times; 1 computes the same from
            weights that :meth:`load_encoder` has summed, with less work.
        seg_classes: 1 is one mask logit, for a sigmoid; 2 or more are logits for a softmax, background first.
        cls_classes: Image classes.
        encoder_depth: Layers of the ResNet encoder: 18 (paper), 34 or 10.
        width: Channels of the finest stage, a multiple of 16; the paper's is 64.
        gate: Whether skip connections pass a gate unit.
        attention: Whether the two coarse decoder stages end in deformable spatial attention.
        deformable: Whether that attention uses modulated deformable convolutions or plain ones.
        offset_lr_mult: Factor of the learning rate of offsets and modulation in :meth:`parameter_groups`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> net = ACSNet(width=16).eval()
        >>> out = net(torch.zeros(2, 3, 64, 96))
        >>> {name: tuple(value.shape) for name, value in out.items()}
        {'seg': (2, 1, 64, 96), 'cls': (2, 2)}
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        in_channels: int = 3,
        seg_classes: int = 1,
        cls_classes: int = 2,
        encoder_depth: int = 18,
        width: int = 64,
        gate: bool = True,
        attention: bool = True,
        deformable: bool = True,
        offset_lr_mult: float = 1.0,
    ) -> None:
        super().__init__()
        _check(min(in_channels, seg_classes) >= 1 and cls_classes >= 2, "channels, seg_classes >= 1, cls_classes >= 2")
        _check(encoder_depth in _DEPTHS, f"encoder_depth one of {_DEPTHS}")
        _check(width >= 16 and width % 16 == 0, "width a multiple of 16")
        _check(offset_lr_mult >= 0, "offset_lr_mult >= 0")
        self.offset_lr_mult = offset_lr_mult

        self.register_buffer("image_mean", torch.zeros(()))
        self.register_buffer("image_std", torch.ones(()))
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.encoder = resnet_encoder(encoder_depth, in_channels, width)
        # Finest first: the first convolution, then the four stages.
        self.gates = nn.ModuleList(GateUnit(c) if gate else nn.Identity() for c in (width, *widths))
        # Coarsest first from here on, as the decoder runs.
        narrower = [(8 * width, 4 * width), (8 * width, 2 * width), (4 * width, width), (2 * width, width)]
        self.narrow = nn.ModuleList(_narrow(*pair) for pair in narrower)
        last, groups = 2 * width, width // 16
        self.decoder = nn.ModuleList(_decoder_stage(c) for c in (8 * width, 4 * width, 2 * width))
        self.decoder.append(nn.Sequential(*_narrow(last, last), *conv_group_norm(last, last, groups)))
        self.attention = nn.ModuleList(
            DeformableSpatialAttention(c, deformable) if attention else nn.Identity() for c in (8 * width, 4 * width)
        )
        self.attention.extend([nn.Identity(), nn.Identity()])
        self.seg_head = nn.Sequential(*conv_group_norm(last, last, groups), nn.Conv2d(last, seg_classes, 1))
        self.classifier = _Classifier(4 * width, 8 * width, 8 * width, cls_classes)

    def parameter_groups(self, learning_rate: float) -> list[dict]:
        """Parameters for an optimiser: all at ``learning_rate``, those that move the kernels at their own.

        Args:
            learning_rate: Rate of everything but offsets and modulation, which get it times ``offset_lr_mult``.
        """
        moving = [p for m in self.modules() if isinstance(m, DeformConv2d) for p in m.offset_conv.parameters()]
        known = {id(p) for p in moving}
        groups = [{"params": [p for p in self.parameters() if id(p) not in known], "lr": learning_rate}]
        return [*groups, {"params": moving, "lr": learning_rate * self.offset_lr_mult}] if moving else groups

    def _encode(self, image: Tensor) -> list[Tensor]:
        """First convolution and the four stages of the encoder, strides 2 to 32."""
        net = self.encoder
        first = net.act(net.bn1(net.conv1(image)))
        one = net.layer1(net.maxpool(first))
        two = net.layer2(one)
        three = net.layer3(two)
        return [first, one, two, three, net.layer4(three)]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Both answers.

        Args:
            image: ``(B, C, H, W)``, H and W multiples of 32; grey values as in the training images, since the
                network standardises them itself.

        Returns:
            ``seg``: mask logits ``(B, K, H, W)``. ``cls``: image logits ``(B, K)``.

        Raises:
            ValueError: If H or W is not a multiple of 32.
        """
        if image.shape[2] % 32 != 0 or image.shape[3] % 32 != 0:
            raise ValueError(f"height and width must be multiples of 32, got {image.shape}")
        features = self._encode((image - self.image_mean) / self.image_std)
        skips = [gate(features[i]) for i, gate in enumerate(self.gates)]
        x = skips[4]
        decoded: list[Tensor] = []
        stages = zip(self.narrow, self.decoder, self.attention)  # noqa: B905  (TorchScript knows no strict=)
        for i, (narrow, stage, attention) in enumerate(stages):
            x = attention(stage(torch.cat([skips[3 - i], _double(narrow(x))], dim=1)))
            decoded.append(x)
        cls = self.classifier(features[3], features[4], decoded[0])
        return {"seg": self.seg_head(_double(x)), "cls": cls}


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError("ACSNet expects " + expected)


# Authors' name -> ours; the first that matches is applied.
_AUTHORS_NAMES: tuple[tuple[str, str], ...] = (
    (r"^layer0\.0\.", "encoder.conv1."),
    (r"^layer0\.1\.", "encoder.bn1."),
    (r"^layer1\.1\.(\d)\.", r"encoder.layer1.\1."),
    (r"^layer([234])\.(\d)\.", r"encoder.layer\1.\2."),
    (r"^sa([12])\.dcn1\.", r"attention.\1.look."),
    (r"^sa([12])\.dcn2\.", r"attention.\1.merge."),
    (r"^sa([12])\.conv1\.", r"attention.\1.from_mean."),
    (r"^sa([12])\.conv2\.", r"attention.\1.from_max."),
    (r"^g([1-5])\.", r"gates.\1."),
    (r"^up([1-4])\.", r"narrow.\1."),
    (r"^conv([2-5])\.", r"decoder.\1."),
    (r"^out\.(\d)\.", r"seg_head.\1."),
    (r"^classfer\.ca1\.", "classifier.fine."),
    (r"^classfer\.ca2\.", "classifier.coarse."),
    (r"^classfer\.ca3\.", "classifier.decoded."),
    (r"^classfer\.fc\.", "classifier.head."),
)

# Their counting of a list, as ours from zero.
_AUTHORS_NUMBERS = {
    "gates": lambda n: 5 - n,
    "narrow": lambda n: n - 1,
    "attention": lambda n: n - 1,
    "decoder": lambda n: n - 2,
    "seg_head": lambda n: n - 1,
}

# The ResNet that they keep beside its own layers, under any name.
_AUTHORS_REPEATS = re.compile(r"^\w+\.(conv1|bn1|fc|layer[1-4]\.\d\.(conv\d|bn\d|downsample\.\d))\.\w+$")


def convert_authors_state_dict(
    state: Mapping[str, Tensor], image_mean: float = 0.330 * 255, image_std: float = 0.204 * 255
) -> dict[str, Tensor]:
    """Rename the weights of a checkpoint of the authors to those of a default :class:`ACSNet`.

    Args:
        state: Their state dict; a leading ``module.`` is dropped, and so is the second copy of the encoder.
        image_mean: Mean grey value (0..255) by which the images were standardised; the default is their code's.
        image_std: Standard deviation of the same grey values.

    Returns:
        A state dict that loads with ``strict=True``.

    Raises:
        ValueError: If a name is not one of the authors' network, or half of a deformable convolution is missing.
    """
    converted = {"image_mean": torch.tensor(image_mean), "image_std": torch.tensor(image_std)}
    moving: dict[str, dict[str, Tensor]] = {}
    for full, value in state.items():
        old = full.removeprefix("module.")
        new = next((re.sub(a, b, old) for a, b in _AUTHORS_NAMES if re.search(a, old)), "")
        if not new:
            if _AUTHORS_REPEATS.match(old):
                continue
            raise ValueError(f"'{full}' is not a name of the authors' ACSNet")
        part, number, rest = (*new.split(".", 2), "")[:3]
        if part in _AUTHORS_NUMBERS:
            new = f"{part}.{_AUTHORS_NUMBERS[part](int(number))}.{rest}"
        kind = re.match(r"(.*\.0)\.(conv|p_conv|m_conv)\.(weight|bias)$", new)
        if kind is None:
            converted[new] = value
        elif kind[2] == "conv":
            converted[f"{kind[1]}.{kind[3]}"] = value
        else:
            moving.setdefault(f"{kind[1]}.offset_conv.{kind[3]}", {})[kind[2]] = value
    for new, parts in moving.items():
        if len(parts) != 2:
            raise ValueError(f"'{new}' needs both p_conv and m_conv of the authors' ACSNet")
        # They list all moves down, then all moves right; the standard is both for one point after the other.
        down, right = parts["p_conv"].chunk(2)
        converted[new] = torch.cat([torch.stack([down, right], dim=1).flatten(0, 1), parts["m_conv"]])
    return converted
