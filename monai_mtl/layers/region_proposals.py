"""Region proposal network: which places of a feature pyramid look like an object.

Ren et al. 2015, Faster R-CNN, https://arxiv.org/abs/1506.01497, on a pyramid: Lin et al. 2017,
https://arxiv.org/abs/1612.03144. The shapes of the anchors are those of MONAI's ``AnchorGenerator``; it recomputes them
from Python numbers at every call, which no exporter can write for other sizes of images, so they are put in place here.

Shapes: B batch, C channels, h w positions of a map, A anchors in all, L boxes proposed.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.apps.detection.utils.anchor_utils import AnchorGenerator
from torch import Tensor, nn

from .boxes import clip_boxes, decode_boxes
from .nms import keep_best_boxes

__all__ = ["RegionProposals"]


class RegionProposals(nn.Module):
    """Scores anchors, moves them, and proposes the best.

    Args:
        channels: Channels of the maps, C.
        sizes: Side of the anchors in pixels, one for each map.
        ratios: Heights over widths of the anchors.
        strides: Pixels per position, one for each map.
        scale: Factors of the coded boxes.
        half_pixel: Whether an anchor stands at the centre of its position's cell, as MONAI's do, or at its corner, as
            torchvision's.

    Raises:
        ValueError: If there is not one size for each stride.
    """

    cells: Tensor
    scale: Tensor

    def __init__(
        self,
        channels: int,
        sizes: Sequence[int],
        ratios: Sequence[float],
        strides: Sequence[int],
        scale: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        half_pixel: bool = True,
    ) -> None:
        super().__init__()
        if len(sizes) != len(strides) or not ratios:
            raise ValueError(f"RegionProposals expects a size for each of {len(strides)} maps, and ratios")
        self.strides: list[int] = list(strides)
        self.half_pixel = half_pixel
        cells = AnchorGenerator([(size,) for size in sizes], (tuple(ratios),) * len(sizes), indexing="xy").cell_anchors
        self.register_buffer("cells", torch.stack(cells), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.cls_logits = nn.Conv2d(channels, len(ratios), 1)
        self.bbox_pred = nn.Conv2d(channels, 4 * len(ratios), 1)
        for layer in (self.conv, self.cls_logits, self.bbox_pred):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def anchors(self, pyramid: list[Tensor]) -> Tensor:
        """Anchors ``(A, 4)`` of all maps, map by map, row by row."""
        parts: list[Tensor] = []
        for i, features in enumerate(pyramid):
            stride = self.strides[i]
            first = stride // 2 if self.half_pixel else 0
            y = torch.arange(features.shape[2], device=features.device) * stride + first
            x = torch.arange(features.shape[3], device=features.device) * stride + first
            rows, columns = torch.meshgrid(y, x, indexing="ij")
            centres = torch.stack([columns, rows, columns, rows], dim=2).view(-1, 1, 4)
            parts.append((centres + self.cells[i]).view(-1, 4))
        return torch.cat(parts)

    def forward(self, pyramid: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Judge every anchor.

        Args:
            pyramid: Maps ``(B, C, h, w)``.

        Returns:
            Logits ``(B, A)`` of holding an object, coded boxes ``(B, A, 4)`` and anchors ``(A, 4)``.
        """
        logits: list[Tensor] = []
        deltas: list[Tensor] = []
        for features in pyramid:
            batch = features.shape[0]
            hidden = F.relu(self.conv(features))
            logits.append(self.cls_logits(hidden).permute(0, 2, 3, 1).reshape(batch, -1))
            deltas.append(self.bbox_pred(hidden).permute(0, 2, 3, 1).reshape(batch, -1, 4))
        return torch.cat(logits, dim=1), torch.cat(deltas, dim=1), self.anchors(pyramid)

    def propose(
        self,
        logits: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        size: tuple[int, int],
        before: int,
        after: int,
        threshold: float,
    ) -> tuple[Tensor, Tensor]:
        """The best boxes that do not overlap too much.

        Args:
            logits: ``(B, A)``.
            deltas: ``(B, A, 4)``.
            anchors: ``(A, 4)``.
            size: Height and width of the image.
            before: How many of the best enter the suppression.
            after: How many are proposed at most, L, no more than ``before``.
            threshold: Intersection over union above which the worse of two boxes goes.

        Returns:
            Boxes ``(B, L, 4)``, best first, in the image, without a gradient, and ``(B, L)``, true where there is one.
        """
        # There are always as many: an exported network cannot ask how many anchors an image has.
        logits = F.pad(logits.detach().float(), (0, before), value=-torch.inf)
        score, best = torch.topk(logits, before, dim=1)
        best = best.clamp(max=anchors.shape[0] - 1)
        chosen = deltas.detach().float().gather(1, best.unsqueeze(2).expand(-1, -1, 4))
        boxes = clip_boxes(decode_boxes(chosen, anchors[best], self.scale), size[0], size[1])
        sides = boxes[..., 2:] - boxes[..., :2]
        valid = (sides > 1e-3).all(dim=2) & (score > -torch.inf)
        index, exists = keep_best_boxes(boxes, valid, threshold, after)
        return boxes.gather(1, index.unsqueeze(2).expand(-1, -1, 4)) * exists.unsqueeze(2), exists
