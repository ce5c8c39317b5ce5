"""Batch normalisation that keeps the statistics it has, in training too."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FrozenBatchNorm2d", "freeze_batch_norm"]


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by its running statistics in every mode; scale and shift still learn.

    For networks that start from published weights and train in batches too small to measure statistics.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)``."""
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


def freeze_batch_norm(network: nn.Module) -> None:
    """Replace every batch normalisation of a network; names and values of its weights stay.

    Args:
        network: Changed in place.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm2d:
                frozen = FrozenBatchNorm2d(child.num_features, child.eps)
                frozen.load_state_dict(child.state_dict())
                setattr(parent, name, frozen)
