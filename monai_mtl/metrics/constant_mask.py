"""The best mask that does not look at the image: what a segmentation must beat to have learned anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["best_constant_mask", "dice_of"]


def dice_of(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; ``nan`` if both are empty.

    Args:
        mask: Boolean array.
        truth: Boolean array of the same shape.
    """
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else float("nan")


def best_constant_mask(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Of the masks "lesion in at least a share s of the training images" that with the largest mean Dice on them.

    Args:
        masks: Lesion masks of the training images that hold a lesion, boolean, of one shape.

    Raises:
        ValueError: If there is none.
    """
    if not masks:
        raise ValueError("no mask to choose from")
    share = np.mean(np.stack(masks), axis=0, dtype=np.float64)
    candidates = [share >= level for level in np.unique(share)]
    return max(candidates, key=lambda one: np.mean([dice_of(one, mask) for mask in masks]))
