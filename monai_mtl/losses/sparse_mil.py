"""Sparse multi-instance classification loss on a coarse class map.

Zhu et al. 2017, https://arxiv.org/abs/1705.08550, in the form of HDS, https://arxiv.org/abs/1808.01646.
Shapes: B batch, K classes (0 is the background), h w positions of the map.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.mil import MIL_RULES, foreground_probability, pool_instances

__all__ = ["SparseMILLoss"]


class SparseMILLoss(nn.Module):
    r"""Cross entropy at the position that speaks for the image, plus a penalty on every foreground.

    .. math:: C = \mathrm{CE}(z^*, y) + \mu \frac{1}{B} \sum_{b, p} P_{b, p}

    ``z*`` are the logits at the selected position and ``P`` is the foreground probability at each
    position. A map of one position with ``mu=0`` is plain cross entropy; a map that is certain of the
    background costs only its cross entropy.

    Args:
        mu: Weight of the sparsity term, >= 0. The paper's 1e-6 is all but inert on its small maps.
        select: ``"foreground_probability"`` (paper) or ``"background_logit"`` (authors' code).

    Raises:
        ValueError: If ``mu`` is negative or ``select`` is unknown.
    """

    def __init__(self, mu: float = 1e-6, select: str = "foreground_probability") -> None:
        super().__init__()
        if mu < 0:
            raise ValueError(f"mu must be >= 0, got {mu}")
        if select not in MIL_RULES:
            raise ValueError(f"select must be one of {MIL_RULES}, got '{select}'")
        self.mu = mu
        self.select = select

    def forward(self, cls_map: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            cls_map: Logits ``(B, K, h, w)``.
            target: Class of each image ``(B,)``.

        Returns:
            A scalar.
        """
        loss = F.cross_entropy(pool_instances(cls_map, self.select), target)
        return loss + self.mu * foreground_probability(cls_map).sum() / cls_map.shape[0]
