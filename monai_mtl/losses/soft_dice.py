"""Dice loss on probabilities, image by image.

In the form of ACSNet (He, Yang, Su, Wang 2024). Shapes: B batch, K classes, H W space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SoftDiceLoss"]


class SoftDiceLoss(nn.Module):
    r"""One minus the overlap of probability and mask, averaged over images and foreground classes.

    .. math:: L = 1 - \frac{1}{B} \sum_b \frac{2 \sum_i p_i g_i + s}{\sum_i p_i + \sum_i g_i + s}

    A certain and right prediction costs 0. Where mask and prediction are both empty the loss is 0, with
    ``legacy_smooth`` it is -1, because the released code writes :math:`2 (\sum p g + s)` above the line; learned task
    weights cannot stand a negative loss, so leave it off for images without a lesion.

    Args:
        smooth: Added to both sides of the fraction, > 0.
        legacy_smooth: Whether the numerator has it twice, as in the released code.

    Raises:
        ValueError: If ``smooth`` is not positive.
    """

    def __init__(self, smooth: float = 1e-5, legacy_smooth: bool = False) -> None:
        super().__init__()
        if smooth <= 0:
            raise ValueError(f"smooth must be > 0, got {smooth}")
        self.smooth, self.legacy_smooth = smooth, legacy_smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: ``(B, 1, H, W)`` for a sigmoid, or ``(B, K, H, W)`` for a softmax with the background first.
            target: Class indices ``(B, H, W)``.

        Returns:
            A scalar.
        """
        classes = logits.shape[1]
        if classes == 1:
            probability, truth = torch.sigmoid(logits), (target == 1)[:, None]
        else:
            probability = torch.softmax(logits, dim=1)[:, 1:]
            truth = F.one_hot(target, classes).movedim(-1, 1)[:, 1:]
        truth = truth.to(probability.dtype)
        overlap, size = (probability * truth).sum(dim=(2, 3)), (probability + truth).sum(dim=(2, 3))
        above = 2 * overlap + (2 * self.smooth if self.legacy_smooth else self.smooth)
        return 1 - (above / (size + self.smooth)).mean()
