"""Diagnosis of a region from what it is made of: the last step of Y-Net.

Paper: Mehta et al. 2018, https://arxiv.org/abs/1806.01313; the authors published no code of this step.
The paper says multilayer perceptron and states no sizes; those here are ours.

Shapes in this module: B batch, F features, K classes.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TissueDiagnosis"]


class TissueDiagnosis(nn.Module):
    """Multilayer perceptron on the tissue features of a region; it standardises them itself.

    The defaults have 1,572 parameters. Without hidden layers it is multinomial logistic regression.

    Args:
        in_features: Features F, 44 for eight tissues.
        cls_classes: Diagnoses K.
        hidden: Widths of the hidden layers.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> net = TissueDiagnosis()
        >>> tuple(net(torch.rand(3, 44))["cls"].shape)
        (3, 4)
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, in_features: int = 44, cls_classes: int = 4, hidden: Sequence[int] = (32,)) -> None:
        super().__init__()
        if in_features < 1 or cls_classes < 2 or min(hidden, default=1) < 1:
            raise ValueError(f"in_features, hidden >= 1, cls_classes >= 2; got {in_features}, {hidden}, {cls_classes}")
        self.register_buffer("feature_mean", torch.zeros(in_features))
        self.register_buffer("feature_std", torch.ones(in_features))
        widths = [in_features, *hidden]
        layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], cls_classes))

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Diagnose.

        Args:
            features: ``(B, F)``.

        Returns:
            ``cls``: logits ``(B, K)``.
        """
        return {"cls": self.layers((features - self.feature_mean) / self.feature_std)}

    def fit(self, features: Tensor, labels: Tensor, weight_decay: float = 1e-2, max_iter: int = 500) -> float:
        """Learn from all regions at once, by L-BFGS; the same data and first weights give the same result.

        Args:
            features: ``(B, F)``.
            labels: Diagnosis of each region ``(B,)``.
            weight_decay: Factor of half the squared weights, biases left out, added to the mean cross entropy.
            max_iter: Steps at most.

        Returns:
            The final loss.

        Raises:
            ValueError: If a feature is not finite.
        """
        if not bool(torch.isfinite(features).all()):
            bad = torch.nonzero(~torch.isfinite(features).all(dim=1)).flatten().tolist()
            raise ValueError(f"features of region {bad} are not finite: nothing in them was measured")
        with torch.no_grad():
            self.feature_mean.copy_(features.mean(dim=0))
            spread = features.std(dim=0, correction=0)
            # A feature that never varies tells nothing; elsewhere it must not blow up.
            self.feature_std.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        optimizer = torch.optim.LBFGS(self.parameters(), max_iter=max_iter, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            """Loss of all regions, with its gradients."""
            optimizer.zero_grad()
            penalty = sum(p.square().sum() for p in self.parameters() if p.ndim > 1)
            loss = F.cross_entropy(self(features)["cls"], labels) + weight_decay / 2 * penalty
            loss.backward()
            return loss

        optimizer.step(closure)
        return float(closure().detach())
