"""Cross entropy of pixels in which a lesion's weigh more, each image counting the same.

For the S-Net of Le et al. 2019, https://arxiv.org/abs/1909.05397, whose abstract says "weighted"; how is our choice.
Shapes: B batch, K classes, H W space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["InverseFrequencyCrossEntropy"]


class InverseFrequencyCrossEntropy(nn.Module):
    r"""Cross entropy with weights that balance the classes of the training masks, averaged image by image.

    .. math:: w_0 = 1, \quad w_k = \min(\max(f_0 / f_k, 1), m), \qquad
        L = \frac{1}{B} \sum_b \sum_i w_{y_{bi}} (-\ln p_{b, i, y_{bi}}) \big/ \sum_i w_{y_{bi}}

    Equal frequencies, or ``m`` of 1, are plain cross entropy. A batch has the mean of the losses of its images, so an
    image of a large lesion does not drown the others. A class that never occurs has the largest weight.

    Args:
        frequencies: Share or count of each class in the training masks, background first, as
            :func:`monai_mtl.losses.class_frequencies` gives it.
        largest: ``m``, the largest weight, >= 1.

    Raises:
        ValueError: If a frequency is negative or all are zero, or ``largest`` is below 1.
    """

    def __init__(self, frequencies: Sequence[float], largest: float = 50.0) -> None:
        super().__init__()
        if sum(frequencies) <= 0 or min(frequencies) < 0:
            raise ValueError(f"frequencies must be >= 0 and not all 0, got {list(frequencies)}")
        if largest < 1:
            raise ValueError(f"largest must be >= 1, got {largest}")
        background, *lesions = frequencies
        ratios = [background / value if value > 0 else largest for value in lesions]
        self.class_weights = (1.0, *(min(max(ratio, 1.0), float(largest)) for ratio in ratios))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: ``(B, K, H, W)``.
            target: Class indices ``(B, H, W)``.

        Returns:
            A scalar.
        """
        weight = logits.new_tensor(self.class_weights)
        losses = F.cross_entropy(logits, target, weight=weight, reduction="none")
        return (losses.sum(dim=(1, 2)) / weight[target].sum(dim=(1, 2))).mean()
