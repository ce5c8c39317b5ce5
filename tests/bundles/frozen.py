"""What a config of a test names: a network that computes the same for an image whatever else is in its batch."""

from __future__ import annotations

import torch
from torch import nn


def frozen(network: nn.Module, double: bool = False) -> nn.Module:
    """Batch norm with fixed statistics, those of noise, which stay when the network is told to train.

    Args:
        network: Network of one-channel images.
        double: Whether it computes in float64.
    """
    generator = torch.Generator().manual_seed(0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(torch.randn(4, 1, 128, 128, generator=generator))
    for norm in norms:
        norm.eval()
        norm.train = lambda mode=True, norm=norm: norm
    if double:
        network.double().register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    return network
