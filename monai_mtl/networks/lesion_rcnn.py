"""Lesion R-CNN: box, mask and class of the lesion in a dermoscopic photo, by one Mask R-CNN.

Paper: Song, Lin, Wang, Wang 2020, "An End-to-End Multi-Task Deep Learning Framework for Skin Lesion Analysis", IEEE
JBHI 24(10), 2912-2921, on He et al. 2017, Mask R-CNN, https://arxiv.org/abs/1703.06870.
Original code: none was published. Written from a description, no code copied.

Choices where the paper is silent, Matterport's Mask R-CNN's unless said:
    * anchors of 32 to 512 pixels at three ratios; 6,000 boxes enter the suppression at 0.7, 1,000 leave it (2,000 in
      training); 256 anchors and 200 boxes of an image are learnt from, a third of the latter lesions;
    * the true box is among the boxes to learn from, and the mask head has no batch normalisation, as in torchvision;
    * of a photo without a class, boxes on the lesion learn "some lesion", and every lesion class learns its box and
      mask; of one without a mask, the box most like a lesion learns the class, and nothing else is learnt.

Shapes: B batch, C channels, K lesion classes, H W pixels, A anchors, N boxes of an image, R boxes in all, M mask bins.
"""

from collections.abc import Sequence

import torch
from monai.config import PathLike
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from torch import Tensor, nn

from ..layers.box_targets import OBJECT
from ..layers.boxes import clip_boxes
from ..layers.detections import class_answer, decode_ranked, rank_boxes, separate_boxes
from ..layers.detector_weights import convert_detector_weights
from ..layers.encoder_weights import LocalEncoderWeights, read_weights
from ..layers.frozen_norm import freeze_batch_norm
from ..layers.lesion_targets import LesionTargets
from ..layers.paste_masks import paste_union
from ..layers.region_proposals import RegionProposals
from ..layers.resnet_encoder import resnet_encoder
from ..layers.roi_align import pyramid_roi_align
from ..layers.roi_heads import BoxHead, mask_head

__all__ = ["LesionRCNN"]

_DEPTHS = (50, 18, 34, 101)
_STRIDES = (4, 8, 16, 32, 64)


class LesionRCNN(LocalEncoderWeights):
    """Mask R-CNN that answers with one lesion an image.

    The defaults have 43,980,897 parameters. In training mode with targets :meth:`forward` gives what
    :class:`monai_mtl.losses.LesionRCNNLoss` compares; else the answers.

    Args:
        in_channels: Image channels ``C``.
        cls_classes: Classes of a lesion, K; the background is one more inside.
        encoder_depth: Layers of the ResNet: 50, 18, 34 or 101.
        width: Channels of its first stage; 64 fits published weights.
        pyramid_channels: Channels of the pyramid's maps.
        hidden: Width of the two linear layers of the box head.
        anchor_sizes: Side of the anchors in pixels on P2, P3, ...; five sizes add P6, four leave it out.
        anchor_ratios: Their heights over widths.
        half_pixel: Whether position 0 of a map covers pixels 0 to its stride, as MONAI's anchors have it; if not, its
            centre lies at pixel 0, as torchvision's COCO weights have it.
        mask_bins: Rows and columns of a box's features for the mask, of which there are twice as many: 14, 7 or 28.
        mask_norm: Whether batch normalisation follows the mask head's convolutions.
        image_mean: Subtracted from each channel: by default the mean of ImageNet's photos, as grey values of 8 bits.
        image_std: What each channel is then divided by; the paper divides by nothing, torchvision's weights ask for it.
        image_head: Whether ``cls_image`` is answered too: K logits from the average of P5.
        freeze_norm: Whether batch normalisation keeps its statistics in training, as small batches of a network with
            published weights ask for.
        proposals: Boxes of the region proposal network before the suppression, after it in training, after it else.
        samples: Anchors, and boxes, that an image is learnt from.
        min_confidence: Probability of its class that a box needs to be a detection.
        union: Whether ``seg`` is the union of all detections; else it is the mask of the best.
        max_detections: Detections at most, of which the union is made.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> net = LesionRCNN(encoder_depth=18, width=8, pyramid_channels=16, hidden=32).eval()
        >>> out = net(torch.zeros(2, 3, 128, 192))
        >>> {name: tuple(value.shape) for name, value in out.items()}
        {'seg': (2, 1, 128, 192), 'cls': (2, 2), 'det': (2, 5)}
    """

    box_scale: Tensor
    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        in_channels: int = 3,
        cls_classes: int = 2,
        encoder_depth: int = 50,
        width: int = 64,
        pyramid_channels: int = 256,
        hidden: int = 1024,
        anchor_sizes: Sequence[int] = (32, 64, 128, 256, 512),
        anchor_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        half_pixel: bool = True,
        mask_bins: int = 14,
        mask_norm: bool = False,
        image_mean: Sequence[float] = (123.7, 116.8, 103.9),
        image_std: Sequence[float] = (1.0, 1.0, 1.0),
        image_head: bool = False,
        freeze_norm: bool = True,
        proposals: Sequence[int] = (6000, 2000, 1000),
        samples: Sequence[int] = (256, 200),
        min_confidence: float = 0.7,
        union: bool = False,
        max_detections: int = 100,
    ) -> None:
        super().__init__()
        _check(
            min(in_channels, width, pyramid_channels, hidden) >= 1 and cls_classes >= 2, "cls_classes >= 2, widths >= 1"
        )
        _check(encoder_depth in _DEPTHS, f"encoder_depth one of {_DEPTHS}")
        _check(len(anchor_sizes) in (4, 5) and min(anchor_sizes) > 0, "four or five anchor_sizes > 0")
        _check(len(anchor_ratios) >= 1 and min(anchor_ratios) > 0, "anchor_ratios > 0")
        _check(
            len(image_mean) == len(image_std) == in_channels and min(image_std) > 0,
            "image_mean, image_std > 0 of a channel",
        )
        _check(mask_bins in (7, 14, 28), "mask_bins 7, 14 or 28")
        _check(
            len(proposals) == 3 and proposals[0] >= max(proposals[1:]) and min(proposals) >= 1,
            "proposals >= 1, the first the most",
        )
        _check(len(samples) == 2 and min(samples) >= 3, "two numbers of samples >= 3")
        _check(0 <= min_confidence <= 1 and max_detections >= 1, "min_confidence in [0, 1], max_detections >= 1")
        self.half_pixel, self.mask_bins = half_pixel, mask_bins
        self.before, self.after_training, self.after = proposals[0], proposals[1], proposals[2]
        self.anchor_samples, self.box_samples = samples[0], samples[1]
        self.min_confidence, self.union, self.max_detections = min_confidence, union, max_detections
        self.generator: torch.Generator | None = None
        """Draws the anchors and boxes that are learnt from; ``None`` is PyTorch's own."""

        self.encoder = resnet_encoder(encoder_depth, in_channels, width)
        last = self.encoder.in_planes
        extra = LastLevelMaxPool(2) if len(anchor_sizes) == 5 else None
        self.fpn = FeaturePyramidNetwork(2, [last // 8, last // 4, last // 2, last], pyramid_channels, extra)
        strides = _STRIDES[: len(anchor_sizes)]
        self.rpn = RegionProposals(pyramid_channels, anchor_sizes, anchor_ratios, strides, half_pixel=half_pixel)
        self.box_head = BoxHead(pyramid_channels, hidden, 1 + cls_classes)
        self.mask_head = mask_head(pyramid_channels, 1 + cls_classes, mask_norm)
        self.image_head = nn.Linear(pyramid_channels, cls_classes) if image_head else None
        self.register_buffer("image_mean", torch.tensor(image_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(image_std).view(1, -1, 1, 1), persistent=False)
        if freeze_norm:
            freeze_batch_norm(self)
        self.register_buffer("box_scale", torch.tensor([10.0, 10.0, 5.0, 5.0]), persistent=False)

    def load_detector(self, path: PathLike) -> None:
        """Start from a Mask R-CNN of torchvision, for instance trained on COCO; ``half_pixel`` false fits it.

        Args:
            path: Local ``*.safetensors`` or ``torch.save`` file. Nothing is ever downloaded.

        Raises:
            MissingError: If there is no such file.
            DataError: If it does not hold such weights.
        """
        self.load_state_dict(convert_detector_weights(read_weights(path), self.state_dict(), self.rpn.scale))

    def parameter_groups(self, weight_decay: float) -> list[dict]:
        """Parameters for an optimiser: batch normalisation's are not decayed.

        Args:
            weight_decay: Of all others.
        """
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        free = {id(p) for norm in norms for p in norm.parameters()}
        rest = [p for p in self.parameters() if id(p) not in free]
        scales = [p for p in self.parameters() if id(p) in free]
        return [{"params": rest, "weight_decay": weight_decay}, {"params": scales, "weight_decay": 0.0}]

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Backbone and feature pyramid.

        Args:
            image: ``(B, C, H, W)``.

        Returns:
            P2 to P5 or P6, ``(B, pyramid_channels, h, w)``.
        """
        net = self.encoder
        image = (image - self.image_mean) / self.image_std
        two = net.layer1(net.maxpool(net.act(net.bn1(net.conv1(image)))))
        three = net.layer2(two)
        four = net.layer3(three)
        return list(self.fpn({"2": two, "3": three, "4": four, "5": net.layer4(four)}).values())

    def forward(self, image: Tensor, target: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Answers, or in training mode with targets what is compared with them.

        Args:
            image: ``(B, C, H, W)``, H and W multiples of 64, grey values as ``image_mean`` has them.
            target: ``seg`` ``(B, 1, H, W)``, not 0 in the lesion; ``cls`` ``(B,)``, its class from 0; ``has_seg`` and
                ``has_cls`` ``(B,)``. Only in training mode is it looked at.

        Returns:
            ``seg``: mask logits ``(B, 1, H, W)`` of the best detection, or of the union. ``cls``: logits ``(B, K)`` of
            the best one's classes. ``det``: its box and score ``(B, 5)``, x0, y0, x1, y1 in pixels and the probability
            of its class, background counted. Without a detection the mask and the box are empty, the score is 0, and
            the first class has all the probability. ``cls_image``: logits ``(B, K)``, where there is an image head.
            With targets in training mode: see :meth:`training_outputs`.

        Raises:
            ValueError: If H or W is not a multiple of 64.
        """
        if image.shape[2] % 64 != 0 or image.shape[3] % 64 != 0:
            raise ValueError(f"height and width must be multiples of 64, got {image.shape}")
        pyramid = self.pyramid(image)
        if self.training and target is not None:
            out = self.training_outputs(image, pyramid, target)
        else:
            out = self.detect(image, pyramid)
        if self.image_head is not None:
            out["cls_image"] = self.image_head(pyramid[3].mean(dim=(2, 3)))
        return out

    def detect(self, image: Tensor, pyramid: list[Tensor]) -> dict[str, Tensor]:
        """Answers from the maps ``(B, C, h, w)`` of the images ``(B, C, H, W)``, as :meth:`forward` gives them."""
        height, width = image.shape[2], image.shape[3]
        logits, deltas, anchors = self.rpn(pyramid)
        boxes, exists = self.rpn.propose(logits, deltas, anchors, (height, width), self.before, self.after, 0.7)
        class_logits, codes = self._judge(pyramid, boxes)
        score, index, lesion_class = rank_boxes(class_logits, exists, self.union)
        found = score >= self.min_confidence
        boxes = decode_ranked(codes, boxes, index, lesion_class, self.box_scale)
        boxes = clip_boxes(boxes, height, width) * found.unsqueeze(2)
        shown_boxes, shown_class = boxes, lesion_class
        if self.union:
            most = min(self.max_detections, self.after)
            shown_boxes, shown_class = separate_boxes(boxes, lesion_class, found, most)
        return {
            "seg": self._masks(pyramid, shown_boxes, shown_class, height, width),
            "cls": class_answer(class_logits, index, found),
            "det": torch.cat([boxes[:, 0], score[:, :1] * found[:, :1]], dim=1),
        }

    def _judge(self, pyramid: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, N, 1 + K)`` and coded boxes ``(B, N, 1 + K, 4)`` of boxes ``(B, N, 4)``."""
        batch, number = boxes.shape[0], boxes.shape[1]
        image = torch.arange(batch * number, device=boxes.device) // number
        features = pyramid_roi_align(pyramid[:4], boxes.view(-1, 4), image, 7, 2, self.half_pixel)
        logits, codes = self.box_head(features)
        return logits.view(batch, number, -1), codes.view(batch, number, -1, 4)

    def _mask_logits(self, pyramid: list[Tensor], boxes: Tensor, image: Tensor) -> Tensor:
        """Logits ``(R, 1 + K, M, M)`` of boxes ``(R, 4)`` of images ``(R,)``."""
        return self.mask_head(pyramid_roi_align(pyramid[:4], boxes, image, self.mask_bins, 2, self.half_pixel))

    def _masks(self, pyramid: list[Tensor], boxes: Tensor, lesion_class: Tensor, height: int, width: int) -> Tensor:
        """Largest mask logits ``(B, 1, H, W)`` of the boxes ``(B, N, 4)``; an empty one shows nothing."""
        batch, number = lesion_class.shape[0], lesion_class.shape[1]
        image = torch.arange(batch * number, device=boxes.device) // number
        logits = self._mask_logits(pyramid, boxes.view(-1, 4), image)
        classes = torch.arange(logits.shape[1], device=boxes.device)
        logits = (logits * (classes == lesion_class.view(-1, 1) + 1).unsqueeze(2).unsqueeze(3)).sum(dim=1)
        return paste_union(logits.view(batch, number, logits.shape[1], logits.shape[2]), boxes, height, width)

    @torch.jit.unused
    def training_outputs(self, image: Tensor, pyramid: list[Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
        """What :class:`monai_mtl.losses.LesionRCNNLoss` compares; arguments as of :meth:`forward` and :meth:`detect`.

        Returns:
            ``rpn_logits`` and ``rpn_labels`` ``(B, S)`` of the drawn anchors; ``rpn_deltas`` and ``rpn_delta_targets``
            ``(n, 4)`` of those that are objects; ``roi_logits`` ``(B, S, 1 + K)`` and ``roi_labels`` ``(B, S)`` of the
            drawn boxes, ordered by the proposal's score where the image has no mask; of those that are on a lesion,
            ``lesion_labels`` ``(n,)``, ``box_deltas`` ``(n, K, 4)`` and ``box_delta_targets`` ``(n, 4)``,
            ``mask_logits`` ``(n, K, 2 * mask_bins, 2 * mask_bins)`` and ``mask_targets``, the same without K.
        """
        truth = LesionTargets(target, image.device, self.generator)
        logits, deltas, anchors = self.rpn(pyramid)
        index, labels = truth.draw_anchors(anchors, self.anchor_samples)
        on = labels == OBJECT
        out = {
            "rpn_logits": logits.gather(1, index),
            "rpn_labels": labels,
            "rpn_deltas": deltas.gather(1, index.unsqueeze(2).expand(-1, -1, 4))[on],
            "rpn_delta_targets": truth.deltas(on.nonzero()[:, 0], anchors[index[on]], self.rpn.scale),
        }

        size = (image.shape[2], image.shape[3])
        boxes, exists = self.rpn.propose(logits, deltas, anchors, size, self.before, self.after_training, 0.7)
        boxes, labels, on = truth.draw_proposals(boxes, exists, self.box_samples)
        class_logits, codes = self._judge(pyramid, boxes)
        out["roi_logits"], out["roi_labels"] = class_logits, labels

        which, place = on.nonzero()[:, 0], boxes[on]
        out["lesion_labels"], out["box_deltas"] = labels[on], codes[on][:, 1:]
        out["box_delta_targets"] = truth.deltas(which, place, self.box_scale)
        bins = 2 * self.mask_bins
        out["mask_logits"] = place.new_zeros(0, codes.shape[2] - 1, bins, bins)
        if len(place):
            out["mask_logits"] = self._mask_logits(pyramid, place, which)[:, 1:]
        out["mask_targets"] = truth.masks(which, place, bins)
        return out


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError("LesionRCNN expects " + expected)
