"""Cross entropy in which a rare class weighs more.

Paszke et al. 2016, "ENet", https://arxiv.org/abs/1606.02147, with the constant of Y-Net,
https://arxiv.org/abs/1806.01313.
Shapes: B batch, K classes, H W space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import DataError

__all__ = ["FrequencyWeightedCrossEntropy", "class_frequencies"]


class FrequencyWeightedCrossEntropy(nn.Module):
    r"""Cross entropy with a weight per class that falls with the logarithm of its frequency.

    .. math:: w_k = 1 / \ln(c + f_k), \qquad
        L = \sum_i w_{y_i} (-\ln p_{i, y_i}) \big/ \sum_i w_{y_i}

    Equal frequencies are plain cross entropy, and so is a very large ``c``. A class that never occurs has
    the largest weight, 10.5 for the default ``c``, one that is all there is the smallest, 1.35.

    Args:
        frequencies: Share or count of each class in the training masks, as :func:`class_frequencies` gives it.
        c: Added to the shares, > 1.

    Raises:
        ValueError: If a frequency is negative or all are zero, or ``c`` is not above 1.
    """

    def __init__(self, frequencies: Sequence[float], c: float = 1.10) -> None:
        super().__init__()
        total = sum(frequencies)
        if total <= 0 or min(frequencies) < 0:
            raise ValueError(f"frequencies must be >= 0 and not all 0, got {list(frequencies)}")
        if c <= 1:
            raise ValueError(f"c must be > 1, got {c}")
        self.class_weights = tuple(1 / math.log(c + value / total) for value in frequencies)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: ``(B, K, H, W)`` or ``(B, K)``.
            target: Class indices ``(B, H, W)`` or ``(B,)``.

        Returns:
            A scalar.
        """
        return F.cross_entropy(logits, target, weight=logits.new_tensor(self.class_weights))


def class_frequencies(
    data: Iterable[Mapping[Hashable, Any]],
    classes: int,
    transform: Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]] | None = None,
    mask_key: str = "label_seg",
    has_key: str = "has_seg",
) -> list[float]:
    """Share of each class among the pixels of the training masks.

    Args:
        data: Training cases, and no others.
        classes: Number of classes.
        transform: Loads the mask of a case; ``None`` if the cases hold it.
        mask_key: Mask of class indices; a case without it does not count.
        has_key: Where present and false, the mask does not count either.

    Returns:
        ``classes`` numbers that sum to 1.

    Raises:
        DataError: If no case has a mask, or a mask holds another value than 0 to ``classes - 1``.
    """
    counts = np.zeros(classes, dtype=np.int64)
    for case in data:
        loaded = case if transform is None else transform(case)
        if loaded.get(mask_key) is None or not loaded.get(has_key, True):
            continue
        mask = np.asarray(loaded[mask_key]).reshape(-1).astype(np.int64)
        if mask.min(initial=0) < 0 or mask.max(initial=0) >= classes:
            what = f"a mask of {loaded.get('case_id', 'the training cases')} holds values {mask.min()} to {mask.max()}"
            raise DataError(what, expected=f"0 to {classes - 1}", fix="correct the mask or the number of classes")
        counts += np.bincount(mask, minlength=classes)
    if not counts.any():
        raise DataError("no training case has a mask", fix="add masks, or weigh no classes")
    return (counts / counts.sum()).tolist()
