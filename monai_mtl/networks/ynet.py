"""Y-Net: one tile of a breast biopsy in, tissue mask and diagnosis out.

Paper: Mehta et al. 2018, https://arxiv.org/abs/1806.01313.
Original code: https://github.com/sacmehta/YNet (MIT). Written from a description of it, no code copied.

Differences from the paper and the authors' code:
    * any input size: the pyramids pool to shares of the map, the authors' to fixed sizes, equal at 384;
    * four diagnoses, 0 benign to 3 invasive, where the authors have five outputs with the first unused;
    * batch normalisation keeps 5 % of a batch in its running statistics, the authors' 95 %;
    * images have red first, the authors' blue: ``convert_authors_state_dict(state, rgb=True)`` turns their weights;
    * the dilation-16 convolutions, which the authors create and never use, do not exist.

Shapes in this module: B batch, C channels, K classes, H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ConfigError
from ..layers.esp import DILATIONS, ESPBlock, PostActBlock, conv_norm_act
from ..layers.pyramid_pooling import PyramidPooling

__all__ = ["YNet", "convert_authors_state_dict"]

BLOCKS = {"esp": ESPBlock, "residual": PostActBlock}
STEM_WIDTH = 16
HEAD_WIDTH = 64
NORM_EPS = 1e-3


class _Level(nn.Module):
    """Halves the map, refines it by blocks, and gives both side by side."""

    def __init__(self, in_channels: int, width: int, blocks: int, block: type[nn.Module]) -> None:
        super().__init__()
        self.down = conv_norm_act(in_channels, width, 3, stride=2)
        self.blocks = nn.Sequential(*(block(width) for _ in range(blocks)))
        self.norm = nn.BatchNorm2d(2 * width)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 2 * width, H / 2, W / 2)``."""
        halved = self.down(x)
        return self.act(self.norm(torch.cat([halved, self.blocks(halved)], dim=1)))


class _Encoder(nn.Module):
    """What both tasks see."""

    def __init__(self, in_channels: int, width: int, depth: int, block: type[nn.Module]) -> None:
        super().__init__()
        self.stem = conv_norm_act(in_channels, STEM_WIDTH, 7, stride=2)
        self.level2 = _Level(STEM_WIDTH, width, 2, block)
        self.level3 = _Level(2 * width, 2 * width, depth, block)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(B, C, H, W)`` to maps at a half, a quarter and an eighth of the size, ``(B, C', h, w)`` each."""
        fine = self.stem(image)
        middle = self.level2(fine)
        return fine, middle, self.level3(middle)


class _Decoder(nn.Module):
    """Pyramid pooling at each of the three sizes, from coarse to fine."""

    def __init__(self, width: int, narrow: int, classes: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        half = width // 2
        middle, fine = narrow + 2 * width, STEM_WIDTH + narrow
        self.coarse_pool = PyramidPooling(4 * width, width, align_corners)
        self.coarse = nn.Sequential(
            *conv_norm_act(8 * width, width, 1), *conv_norm_act(width, narrow, 3), *conv_norm_act(narrow, narrow, 1)
        )
        self.middle_pool = PyramidPooling(middle, half, align_corners)
        self.middle = nn.Sequential(*conv_norm_act(middle + 4 * half, narrow, 3), *conv_norm_act(narrow, narrow, 1))
        self.fine_pool = PyramidPooling(fine, narrow, align_corners)
        self.fine = nn.Sequential(
            *conv_norm_act(fine + 4 * narrow, narrow, 3), nn.Conv2d(narrow, classes, 7, padding=3, bias=False)
        )

    def _enlarge(self, x: Tensor, like: Tensor) -> Tensor:
        size = (like.shape[2], like.shape[3])
        return F.interpolate(x, size=size, mode="bilinear", align_corners=self.align_corners)

    def forward(self, image: Tensor, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """Logits ``(B, K, H, W)``."""
        y = self._enlarge(self.coarse(self.coarse_pool(coarse)), middle)
        y = self._enlarge(self.middle(self.middle_pool(torch.cat([y, middle], dim=1))), fine)
        return self._enlarge(self.fine(self.fine_pool(torch.cat([fine, y], dim=1))), image)


class _Diagnosis(nn.Module):
    """Two more levels, the average of the map, two linear layers."""

    def __init__(self, width: int, classes: int, block: type[nn.Module], activation: bool) -> None:
        super().__init__()
        self.level4 = _Level(4 * width, width, 2, block)
        self.level5 = _Level(2 * width, width // 2, 2, block)
        self.hidden = nn.Linear(width, HEAD_WIDTH)
        self.act = nn.ReLU(inplace=True) if activation else nn.Identity()
        self.head = nn.Linear(HEAD_WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, K)``."""
        pooled = self.level5(self.level4(x)).mean(dim=(2, 3))
        return self.head(self.act(self.hidden(pooled)))


class YNet(nn.Module):
    """Encoder with two branches: a decoder for tissue and a classifier for the diagnosis.

    With the authors' eight tissues and five diagnoses it has 3,687,589 parameters and needs 8.24 GMAC for
    one 3x384x384 tile (``encoder="residual"`` 9,110,437 and 22.78 GMAC); without the diagnosis 2,755,488
    and 7.79 GMAC (7,624,608 and 22.05 GMAC). Four diagnoses have 65 parameters fewer.

    Args:
        in_channels: Image channels ``C``.
        seg_classes: Tissue classes.
        cls_classes: Diagnoses; ``None`` leaves the branch out, which is stage 1 of the authors' training.
        encoder: ``"esp"`` (C1) or ``"residual"`` (D1).
        width: Channels w of the first level, a multiple of 8.
        depth: Blocks d of the third level, >= 1.
        decoder_width: Channels between the stages of the decoder. The authors have as many as tissues.
        align_corners: How maps are enlarged. ``True`` is what the authors' PyTorch 0.2 did.
        norm_momentum: Share of a batch in the running statistics, in (0, 1]; the authors' is 0.95.
        head_activation: Whether a ReLU stands between the two linear layers; the authors have none.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> net = YNet(width=16, depth=2).eval()
        >>> {name: tuple(value.shape) for name, value in net(torch.zeros(2, 3, 100, 64)).items()}
        {'seg': (2, 8, 100, 64), 'cls': (2, 4)}
    """

    def __init__(
        self,
        in_channels: int = 3,
        seg_classes: int = 8,
        cls_classes: int | None = 4,
        encoder: str = "esp",
        width: int = 128,
        depth: int = 5,
        decoder_width: int = 8,
        align_corners: bool = True,
        norm_momentum: float = 0.05,
        head_activation: bool = False,
    ) -> None:
        super().__init__()
        _check(in_channels >= 1 and seg_classes >= 2, "in_channels >= 1, seg_classes >= 2")
        _check(cls_classes is None or cls_classes >= 2, "cls_classes >= 2, or None")
        _check(encoder in BLOCKS, f"encoder one of {tuple(BLOCKS)}")
        _check(width >= 8 and width % 8 == 0, "width a multiple of 8")
        _check(min(depth, decoder_width) >= 1, "depth and decoder_width >= 1")
        _check(0 < norm_momentum <= 1, "norm_momentum in (0, 1]")
        block = BLOCKS[encoder]
        self.encoder = _Encoder(in_channels, width, depth, block)
        self.decoder = _Decoder(width, decoder_width, seg_classes, align_corners)
        self.diagnosis: nn.Module | None = None
        if cls_classes is not None:
            self.diagnosis = _Diagnosis(width, cls_classes, block, head_activation)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = NORM_EPS, norm_momentum

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Tissue of each pixel, diagnosis of the image.

        Args:
            image: ``(B, C, H, W)`` of any size, grey values in [0, 1].

        Returns:
            ``seg``: logits ``(B, K, H, W)``. ``cls``: logits ``(B, K)``, unless ``cls_classes`` is ``None``.
        """
        fine, middle, coarse = self.encoder(image)
        out: dict[str, Tensor] = {"seg": self.decoder(image, fine, middle, coarse)}
        if self.diagnosis is not None:
            out["cls"] = self.diagnosis(coarse)
        return out

    def load_stage1(self, state: Mapping[str, Tensor]) -> None:
        """Take encoder and decoder from a network trained for the tissue alone; the diagnosis stays as it is.

        Args:
            state: State dict of a :class:`YNet` with the same arguments but ``cls_classes``.

        Raises:
            ConfigError: If it is not one.
        """
        own = {name: value for name, value in self.state_dict().items() if not name.startswith("diagnosis.")}
        given = {name: value for name, value in state.items() if not name.startswith("diagnosis.")}
        wrong = sorted(own.keys() ^ given.keys())
        wrong += [name for name in own.keys() & given.keys() if own[name].shape != given[name].shape]
        if wrong:
            what = f"these weights belong to another YNet; {len(wrong)} differ, first '{wrong[0]}'"
            raise ConfigError(what, fix="use the network_def that they were trained with, cls_classes apart")
        self.load_state_dict(given, strict=False)


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError("YNet expects " + expected)


# Our level: the authors' module that halves, their blocks, their norm.
_LEVELS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "encoder.level2": ("segNet.level2", ("segNet.level2_0", "segNet.level2_1"), "segNet.br_2"),
    "encoder.level3": (
        "segNet.level3_0",
        ("segNet.level3_1", "segNet.level3_2", "segNet.level4_1", "segNet.level4_2", "segNet.level4_3"),
        "segNet.br_4",
    ),
    "diagnosis.level4": ("level4_0", ("level4_1", "level4_2"), "br_con_4"),
    "diagnosis.level5": ("level5_0", ("level5_1", "level5_2"), "br_con_5"),
}
_BLOCK_LAYERS = {
    "esp": {"c1.conv": "reduce", "bn": "norm"} | {f"d{d}.conv": f"dilated.{i}" for i, d in enumerate(DILATIONS)},
    "residual": {"c1.conv": "first.0", "c1.bn": "first.1", "c2.conv": "second.0", "c2.bn": "second.1"},
}
_STAGES = {"coarse": ("p{}", "classifier"), "middle": ("p{}0", "class_1"), "fine": ("p0{}", "class_0")}


def _authors_modules(encoder: str) -> dict[str, str]:
    """Authors' module -> ours, for every module that holds a weight."""
    ours = {"segNet.level1.conv": "encoder.stem.0", "segNet.level1.bn": "encoder.stem.1"}
    ours |= {"fc1": "diagnosis.hidden", "fc2": "diagnosis.head"}
    for level, (down, blocks, norm) in _LEVELS.items():
        ours |= {f"{down}.conv.conv": f"{level}.down.0", f"{down}.conv.bn": f"{level}.down.1"}
        ours[f"{norm}.bn"] = f"{level}.norm"
        for i, block in enumerate(blocks):
            ours |= {f"{block}.{a}": f"{level}.blocks.{i}.{b}" for a, b in _BLOCK_LAYERS[encoder].items()}
    for stage, (pool, convs) in _STAGES.items():
        for i, j in product(range(4), range(2)):
            ours[f"segNet.{pool.format(i + 1)}.features.{j + 1}"] = f"decoder.{stage}_pool.branches.{i}.{j}"
        ours |= {f"segNet.{convs}.{i}": f"decoder.{stage}.{i}" for i in range(8)}
    return ours


def convert_authors_state_dict(state: Mapping[str, Tensor], rgb: bool = False) -> dict[str, Tensor]:
    """Rename the weights of a checkpoint of the authors (width 128, depth 5) to :class:`YNet`.

    Of their two trainings the second names the tissue's weights ``segNet.<name>``, the first ``<name>``. The
    residual network of the first joins the last two maps in the other order; its weights are turned to ours.

    Args:
        state: Their state dict, C1 or D1; a leading ``module.`` and the unused dilation-16 weights are dropped.
        rgb: Whether to turn the first convolution, which was trained on blue-green-red images, to take red
            first.

    Returns:
        A state dict that loads with ``strict=True`` into ``YNet(cls_classes=5)``, or into
        ``YNet(cls_classes=None)`` from the first training, with the ``encoder`` of the checkpoint.

    Raises:
        ValueError: If a name is not one of the authors' network.
    """
    theirs = {name.removeprefix("module."): value for name, value in state.items() if ".d16." not in name}
    joint = any(name.startswith("segNet.") for name in theirs)
    encoder = "residual" if any(".c2." in name for name in theirs) else "esp"
    modules = _authors_modules(encoder)
    converted = {}
    for name, value in theirs.items():
        module, _, tensor = (name if joint else f"segNet.{name}").rpartition(".")
        if module not in modules:
            raise ValueError(f"'{name}' is not a name of the authors' Y-Net")
        converted[f"{modules[module]}.{tensor}"] = value
    if encoder == "residual" and not joint:
        for name in [f"decoder.fine_pool.branches.{i}.0.weight" for i in range(4)] + ["decoder.fine.0.weight"]:
            decoded, stem, pooled = converted[name].tensor_split([8, 8 + STEM_WIDTH], dim=1)
            converted[name] = torch.cat([stem, decoded, pooled], dim=1)
    if rgb:
        converted["encoder.stem.0.weight"] = converted["encoder.stem.0.weight"].flip(1)
    return converted
