"""Multi-instance pooling of a coarse class map: one position speaks for the image.

Shapes: B batch, K classes (class 0 is the background), h w positions of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["MIL_RULES", "foreground_probability", "pool_instances", "select_instance"]

MIL_RULES = ("foreground_probability", "background_logit")


def foreground_probability(cls_map: Tensor) -> Tensor:
    """Softmax probability of not being class 0, at each position.

    Args:
        cls_map: Logits ``(B, K, h, w)``.

    Returns:
        Probabilities ``(B, h, w)``.
    """
    return torch.softmax(cls_map, dim=1)[:, 1:].sum(dim=1)


def select_instance(cls_map: Tensor, rule: str = "foreground_probability") -> Tensor:
    """Position that speaks for each image; no gradient flows through the choice.

    Args:
        cls_map: Logits ``(B, K, h, w)``.
        rule: ``"foreground_probability"`` takes its maximum (the HDS paper);
            ``"background_logit"`` takes the minimum of the raw logit of class 0 (the authors' code).

    Returns:
        Flat indices ``(B,)`` into ``h * w``, row by row.

    Raises:
        ValueError: If ``rule`` is unknown.
    """
    if rule == "foreground_probability":
        # The log odds of the foreground: same order as the probability, without ties where that rounds to 1.
        score = torch.logsumexp(cls_map.detach()[:, 1:], dim=1) - cls_map.detach()[:, 0]
    elif rule == "background_logit":
        score = -cls_map.detach()[:, 0]
    else:
        raise ValueError("unknown MIL rule '" + rule + "'; use foreground_probability or background_logit")
    return score.flatten(1).argmax(dim=1)


def pool_instances(cls_map: Tensor, rule: str = "foreground_probability") -> Tensor:
    """Logits at the selected position.

    Args:
        cls_map: Logits ``(B, K, h, w)``.
        rule: As in :func:`select_instance`.

    Returns:
        Logits ``(B, K)``.
    """
    index = select_instance(cls_map, rule)
    flat = cls_map.flatten(2)
    return flat.gather(2, index[:, None, None].expand(-1, flat.shape[1], 1))[:, :, 0]
