"""Cross entropy of one logit.

Shapes: B batch.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BinaryCrossEntropyLoss"]


class BinaryCrossEntropyLoss(nn.Module):
    r"""Binary cross entropy of a network's single logit ``z`` against class indices, as the other losses take them.

    .. math:: L = \frac{1}{B} \sum_b \ln(1 + e^{-(2 y_b - 1) z_b})

    It is the cross entropy of the two logits 0 and ``z``; a logit of 0 costs ln 2.

    Example:
        >>> import torch
        >>> BinaryCrossEntropyLoss()(torch.zeros(3, 1), torch.tensor([0, 1, 1]))
        tensor(0.6931)
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: ``(B, 1)``.
            target: Class indices ``(B,)``, 0 or 1.

        Returns:
            A scalar.

        Raises:
            ValueError: If there is more than one logit an image.
        """
        if logits.shape[1:] != (1,):
            raise ValueError(f"one logit an image is expected, got {tuple(logits.shape)}")
        return F.binary_cross_entropy_with_logits(logits[:, 0], target.to(logits.dtype))
