"""Which anchors and boxes of a batch are learnt from, and what each should be, whatever its image is annotated with.

Shapes: B batch, A anchors, N boxes of an image, S drawn ones of an image, n those of them on a lesion, in all, H W
pixels, M rows and columns of a box's mask.
"""

import torch
from torch import Tensor

from .box_targets import BACKGROUND, IGNORED, OBJECT, UNJUDGED, UNKNOWN_OBJECT, assign_boxes, draw_boxes
from .boxes import encode_boxes, mask_boxes
from .roi_align import roi_align

__all__ = ["LesionTargets"]


class LesionTargets:
    """What is known of the lesion of each image, and what follows for boxes.

    Args:
        target: ``seg`` ``(B, 1, H, W)``, not 0 in the lesion; ``cls`` ``(B,)``, its class from 0; ``has_seg`` and
            ``has_cls`` ``(B,)``.
        device: Of the network.
        generator: Draws; ``None`` is PyTorch's own.
    """

    def __init__(self, target: dict[str, Tensor], device: torch.device, generator: torch.Generator | None) -> None:
        self.mask, self.lesion_class, self.generator = target["seg"], target["cls"].unsqueeze(1), generator
        self.has_seg = target["has_seg"].to(device, torch.bool).unsqueeze(1)
        self.has_cls = target["has_cls"].to(device, torch.bool).unsqueeze(1)
        true, lesion = mask_boxes(self.mask)
        self.true, self.lesion = true.unsqueeze(1), lesion.unsqueeze(1) & self.has_seg
        """The true box ``(B, 1, 4)`` of each image and whether there is one ``(B, 1)``."""

    def draw_anchors(self, anchors: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Anchors to learn from, half of them on the lesion at most; none of an image without a mask.

        Args:
            anchors: ``(A, 4)``.
            number: S.

        Returns:
            Indices ``(B, S)`` and labels ``(B, S)``.
        """
        labels = assign_boxes(anchors, self.true, self.lesion, 0.7, 0.3, best_counts=True)[0]
        labels = labels.masked_fill(~self.has_seg, IGNORED)
        return draw_boxes(labels, self._noise(labels), number, number // 2)

    def draw_proposals(self, boxes: Tensor, exists: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes to learn from, a third of them on the lesion at most, the true box among those to draw.

        Args:
            boxes: Proposals ``(B, N, 4)``, best first, in which order those of an image without a mask are drawn.
            exists: ``(B, N)``, false for those that are none.
            number: S.

        Returns:
            Boxes ``(B, S, 4)``; labels ``(B, S)``, 1 and more for the classes of lesions; and ``(B, S)``, true on the
            lesion.
        """
        boxes, exists = torch.cat([boxes, self.true], dim=1), torch.cat([exists, self.lesion], dim=1)
        labels = assign_boxes(boxes, self.true, self.lesion, 0.5, 0.5)[0].masked_fill(~exists, IGNORED)
        best_first = 1 - torch.arange(labels.shape[1], device=labels.device) / labels.shape[1]
        noise = torch.where(self.has_seg, self._noise(labels), best_first)
        index, labels = draw_boxes(labels, noise, number, number // 3)
        on = labels == OBJECT
        labels = torch.where(on, torch.where(self.has_cls, 1 + self.lesion_class, UNKNOWN_OBJECT), labels)
        labels = labels.masked_fill(~self.has_seg & (labels == BACKGROUND), UNJUDGED)
        return boxes.gather(1, index.unsqueeze(2).expand(-1, -1, 4)), labels, on

    def deltas(self, image: Tensor, boxes: Tensor, scale: Tensor) -> Tensor:
        """What moves boxes onto the true ones, ``(n, 4)``.

        Args:
            image: Number of each box's image ``(n,)``.
            boxes: ``(n, 4)``.
            scale: Factors of the coded boxes ``(4,)``.
        """
        return encode_boxes(self.true[image, 0], boxes, scale)

    def masks(self, image: Tensor, boxes: Tensor, bins: int) -> Tensor:
        """The lesion inside boxes, ``(n, M, M)``, 0 or 1.

        Args:
            image: As of :meth:`deltas`.
            boxes: ``(n, 4)``.
            bins: M.
        """
        rows = torch.cat([image.unsqueeze(1).to(boxes.dtype), boxes], dim=1)
        lesions = (self.mask != 0).float()
        return (roi_align(lesions, rows, (bins, bins), aligned=True)[:, 0] >= 0.5).float()

    def _noise(self, like: Tensor) -> Tensor:
        """The same for every image, so that what is drawn of one does not depend on its place in the batch."""
        return torch.rand(like.shape[1], device=like.device, generator=self.generator).expand_as(like)
