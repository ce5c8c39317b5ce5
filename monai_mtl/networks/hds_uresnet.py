"""U-ResNet with hybrid deep supervision: one mammogram in, mass mask and image class out.

Paper: Zhang, Zhang, Chung 2018, https://arxiv.org/abs/1808.01646.
Original code: https://github.com/angrypudding/hybrid-ds (no licence). Written from a description of
it, no code copied.

Differences from the paper:
    * the two statistics that standardise an image live in the network as buffers, so that they travel
      with the weights; their default (0 and 1) changes nothing;
    * in eval mode only the main output is computed.
As in the authors' code, not the text: the logits of a path are enlarged by successive x2 steps, and
the dropout drops whole channels.

Shapes in this module: B batch, C channels, K classes, L levels (last one is the main output), H W
pixels, h w = H / mil_stride, W / mil_stride.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..layers.mil import MIL_RULES, pool_instances
from ..layers.pooling import HalvingMaxPool2d
from ..layers.residual import PreActBlock, norm_act_conv

__all__ = ["HDSUResNet", "convert_authors_state_dict"]


def _down(in_channels: int, out_channels: int) -> nn.Sequential:
    widen = [*norm_act_conv(in_channels, out_channels)] if in_channels != out_channels else []
    return nn.Sequential(*widen, HalvingMaxPool2d())


def _up(in_channels: int, out_channels: int, upsample: str) -> nn.Sequential:
    if upsample == "deconv":
        deconv = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False)
        return nn.Sequential(nn.BatchNorm2d(in_channels), nn.ReLU(inplace=True), deconv)
    narrow = [*norm_act_conv(in_channels, out_channels)] if in_channels != out_channels else []
    return nn.Sequential(*narrow, nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))


def _blocks(channels: int, count: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(*(PreActBlock(channels, channels, dropout) for _ in range(count)))


class _Fusion(nn.Module):
    """Joins the enlarged decoder stream with the encoder's features of the same size."""

    def __init__(self, channels: int, mode: str) -> None:
        super().__init__()
        self.cat = mode == "cat"
        self.merge = norm_act_conv(2 * channels, channels) if self.cat else nn.Sequential()

    def join(self, up: Tensor, skip: Tensor) -> Tensor:
        """Two maps ``(B, C, H, W)`` to what ``merge`` takes: ``(B, 2C, H, W)``, or their sum."""
        return torch.cat([up, skip], dim=1) if self.cat else up + skip

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """Two maps ``(B, C, H, W)`` to one of the same shape."""
        return self.merge(self.join(up, skip))


class _SegPath(nn.Sequential):
    """Residual block, 1x1 head with bias, then ``steps`` successive x2 enlargements of the logits."""

    def __init__(self, channels: int, classes: int, dropout: float, steps: int, upsample: str) -> None:
        super().__init__()
        self.block = PreActBlock(channels, channels, dropout)
        self.head = norm_act_conv(channels, classes, bias=True)
        self.ups = nn.Sequential(*(_up(classes, classes, upsample) for _ in range(steps)))


class _ClsPath(nn.Sequential):
    """Two halvings with residual blocks, average pooling to the common stride, 1x1 head with bias."""

    def __init__(self, channels: int, classes: int, dropout: float, pool: int, max_width: int) -> None:
        super().__init__()
        wide, wider = (min(channels * factor, max_width) for factor in (2, 4))
        self.down1, self.block1 = _down(channels, wide), PreActBlock(wide, wide, dropout)
        self.down2, self.block2 = _down(wide, wider), PreActBlock(wider, wider, dropout)
        self.pool = nn.AvgPool2d(pool) if pool > 1 else nn.Identity()
        self.head = norm_act_conv(wider, classes, bias=True)


class HDSUResNet(nn.Module):
    """U-ResNet whose decoder is supervised at every level by a mask and an image class.

    The defaults have 7,278,248 parameters (``upsample="deconv"`` 7,442,388) and need 69.06 GMAC with
    all levels, 51.40 GMAC with the main one, for one 1x1024x512 image.

    Args:
        in_channels: Image channels ``C``.
        seg_classes: Mask classes, background included.
        cls_classes: Image classes; class 0 is "nothing there".
        widths: Channels of the encoder stages, finest first; the decoder mirrors them.
        bottom_width: Channels of the coarsest stage.
        depths: Residual blocks in each encoder stage and, last, in the coarsest one; one number means
            the same everywhere. The decoder mirrors them.
        dropout: Channel dropout of the same stages; one number means the same everywhere. ``None`` is
            the paper's 0.2 for the three finest stages, 0.5 below.
        upsample: ``"bilinear"`` (paper) or ``"deconv"`` (transposed 2x2 convolution).
        fuse: ``"cat"`` (paper) or ``"sum"``.
        mil_stride: Pixels per position of the class map, a multiple of ``4 * 2**len(widths)``.
        mil_select: Position that speaks for the image: ``"foreground_probability"`` (paper) or
            ``"background_logit"`` (authors' code).
        levels: How many levels carry the two paths, counted from the finest; ``None`` is all of them,
            1 leaves plain multi-task learning.
        cls_max_width: Cap on the width of the classification paths.

    Raises:
        ValueError: If an argument is out of its range or a sequence has the wrong length.

    Example:
        >>> net = HDSUResNet(widths=(4, 8, 8, 8, 8), bottom_width=8, cls_max_width=8).eval()
        >>> out = net(torch.zeros(2, 1, 256, 128))
        >>> {name: tuple(value.shape) for name, value in out.items()}
        {'seg': (2, 2, 256, 128), 'cls_map': (2, 2, 2, 1), 'cls': (2, 2)}
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        in_channels: int = 1,
        seg_classes: int = 2,
        cls_classes: int = 2,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
        bottom_width: int = 128,
        depths: int | Sequence[int] = 2,
        dropout: float | Sequence[float] | None = None,
        upsample: str = "bilinear",
        fuse: str = "cat",
        mil_stride: int = 128,
        mil_select: str = "foreground_probability",
        levels: int | None = None,
        cls_max_width: int = 128,
    ) -> None:
        super().__init__()
        depth = len(widths)
        stages = depth + 1
        if dropout is None:
            dropout = [0.2 if i < 3 else 0.5 for i in range(stages)]
        drops = [float(dropout)] * stages if isinstance(dropout, (int, float)) else list(dropout)
        counts = [depths] * stages if isinstance(depths, int) else list(depths)
        self.levels = stages if levels is None else levels
        _check(in_channels >= 1 and min(seg_classes, cls_classes) >= 2, "in_channels >= 1, classes >= 2")
        _check(depth >= 1 and min(*widths, bottom_width, cls_max_width) >= 1, "widths >= 1, at least one stage")
        _check(len(drops) == stages and all(0 <= p < 1 for p in drops), f"dropout: {stages} numbers in [0, 1)")
        _check(len(counts) == stages and min(counts) >= 1, f"depths: {stages} numbers >= 1")
        _check(upsample in ("bilinear", "deconv"), "upsample 'bilinear' or 'deconv'")
        _check(fuse in ("cat", "sum"), "fuse 'cat' or 'sum'")
        _check(mil_select in MIL_RULES, f"mil_select one of {MIL_RULES}")
        _check(1 <= self.levels <= stages, f"levels from 1 to {stages}")
        smallest = 4 * 2**depth
        _check(mil_stride >= smallest and mil_stride % smallest == 0, f"mil_stride a multiple of {smallest}")
        self.mil_stride, self.mil_select = mil_stride, mil_select

        widths = [*widths, bottom_width]
        self.register_buffer("image_mean", torch.zeros(()))
        self.register_buffer("image_std", torch.ones(()))
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(_blocks(*stage) for stage in zip(widths, counts, drops, strict=True))
        self.downs = nn.ModuleList([nn.Identity(), *(_down(fine, coarse) for fine, coarse in pairwise(widths))])
        coarse_first = list(zip(widths, counts, drops, strict=True))[::-1]
        self.ups = nn.ModuleList(_up(a[0], b[0], upsample) for a, b in pairwise(coarse_first))
        self.fusions = nn.ModuleList(_Fusion(width, fuse) for width, _, _ in coarse_first[1:])
        self.decoder = nn.ModuleList(_blocks(*stage) for stage in coarse_first[1:])

        # Level i of the paper (0 = coarsest) has stride 2**(depth - i), and its class map that of the MIL.
        used = list(enumerate(coarse_first))[-self.levels :]
        self.seg_paths = nn.ModuleList(
            _SegPath(width, seg_classes, drop, depth - i, upsample) for i, (width, _, drop) in used
        )
        self.cls_paths = nn.ModuleList(
            _ClsPath(width, cls_classes, drop, mil_stride // smallest * 2**i, cls_max_width)
            for i, (width, _, drop) in used
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _trunk(self, image: Tensor, kept: int) -> list[Tensor]:
        """Feature maps of the ``kept`` finest among the coarsest stage and the decoder stages, coarse to fine.

        Layers of the decoder are called one by one: a container, like a caller, holds its input until its last layer
        is done. Without gradients this halves the largest memory.
        """
        if image.shape[2] % self.mil_stride != 0 or image.shape[3] % self.mil_stride != 0:
            raise ValueError(f"height and width must be multiples of {self.mil_stride}, got {image.shape}")
        x = self.stem((image - self.image_mean) / self.image_std)
        skips: list[Tensor] = []
        for down, stage in zip(self.downs, self.encoder):  # noqa: B905  (TorchScript knows no strict=)
            x = stage(down(x))
            skips.append(x)
        taps = [skips.pop()]
        for up, fusion, stage in zip(self.ups, self.fusions, self.decoder):  # noqa: B905
            x = fusion.join(up(x), skips.pop())  # type: ignore[operator]
            for layer in fusion.merge:  # type: ignore[union-attr]
                x = layer(x)
            for block in stage:  # type: ignore[attr-defined]
                x = block(x)
            taps.append(x)
            if len(taps) > kept:
                taps.pop(0)
        return taps

    def forward_levels(self, image: Tensor) -> dict[str, Tensor]:
        """Every supervised level, in either mode.

        Args:
            image: ``(B, C, H, W)``, H and W multiples of ``mil_stride``.

        Returns:
            ``seg_levels``: logits ``(L, B, K, H, W)``; ``cls_levels``: logits ``(L, B, K, h, w)``.

        Raises:
            ValueError: If H or W is not a multiple of ``mil_stride``.
        """
        taps = self._trunk(image, self.levels)
        seg = [path(taps[i]) for i, path in enumerate(self.seg_paths)]
        cls = [path(taps[i]) for i, path in enumerate(self.cls_paths)]
        return {"seg_levels": torch.stack(seg), "cls_levels": torch.stack(cls)}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Main output; while training, all levels too.

        Args:
            image: ``(B, C, H, W)``, H and W multiples of ``mil_stride``; grey values as in the training
                images (0..255 for 8-bit files), since the network standardises them itself.

        Returns:
            ``seg``: mask logits ``(B, K, H, W)``. ``cls``: image logits ``(B, K)``. ``cls_map``: logits
            ``(B, K, h, w)`` from which ``cls`` was selected. In training mode also ``seg_levels`` and
            ``cls_levels`` as in :meth:`forward_levels`.

        Raises:
            ValueError: If H or W is not a multiple of ``mil_stride``.
        """
        out: dict[str, Tensor] = {}
        if self.training:
            out = self.forward_levels(image)
            out["seg"], out["cls_map"] = out["seg_levels"][-1], out["cls_levels"][-1]
        else:
            tap = self._trunk(image, 1)[0]
            out["seg"], out["cls_map"] = self.seg_paths[-1](tap), self.cls_paths[-1](tap)
        out["cls"] = pool_instances(out["cls_map"], self.mil_select)
        return out


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError("HDSUResNet expects " + expected)


# Authors' name -> ours, applied in this order to the default network with all six levels.
_AUTHORS_NAMES: tuple[tuple[str, str], ...] = (
    (r"^module\.", ""),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"^trunk\.inconv\.", "stem."),
    (r"^trunk\.ups\.", "ups."),
    (r"^trunk\.fusions\.(\d)\.conv2\.model\.", r"fusions.\1.merge."),
    (r"^exit_seg\.(\d)\.0\.", r"seg_paths.\1.block."),
    (r"^exit_seg\.(\d)\.1\.model\.", r"seg_paths.\1.head."),
    (r"^exit_cls\.(\d)\.0\.", r"cls_paths.\1.down1."),
    (r"^exit_cls\.(\d)\.1\.", r"cls_paths.\1.block1."),
    (r"^exit_cls\.(\d)\.2\.", r"cls_paths.\1.down2."),
    (r"^exit_cls\.(\d)\.3\.", r"cls_paths.\1.block2."),
    (r"^exit_cls\.(\d)\.\d\.model\.", r"cls_paths.\1.head."),
)


def convert_authors_state_dict(
    state: Mapping[str, Tensor], image_mean: float = 87.2532, image_std: float = 67.7831
) -> dict[str, Tensor]:
    """Rename the weights of a checkpoint of the authors (bilinear, six levels) to :class:`HDSUResNet`.

    Args:
        state: Their state dict; a leading ``module.`` is dropped.
        image_mean: Mean grey value (0..255) of the images they were trained on; the default belongs to
            the split that the authors ship.
        image_std: Standard deviation of the same grey values.

    Returns:
        A state dict that loads with ``strict=True``.

    Raises:
        ValueError: If a name is not one of the authors' network.
    """
    converted = {"image_mean": torch.tensor(image_mean), "image_std": torch.tensor(image_std)}
    for old, value in state.items():
        new = old
        for pattern, replacement in _AUTHORS_NAMES:
            new = re.sub(pattern, replacement, new)
        part = re.match(r"trunk\.(blocks|downs)\.(\d+)\.", new)
        if part:
            i, rest = int(part[2]), new[part.end() :]
            stage = f"encoder.{i}." if i < 6 else f"decoder.{i - 6}."
            new = (f"downs.{i + 1}." if part[1] == "downs" else stage) + rest
        if new == old:
            raise ValueError(f"'{old}' is not a name of the authors' HDS network")
        converted[new] = value
    return converted
