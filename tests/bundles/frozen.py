"""What configs of tests name: a network that answers for an image whatever else is in its batch, and an order."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch import nn
from torch.utils.data import DistributedSampler, Sampler


def frozen(network: nn.Module, channels: int = 1, double: bool = False) -> nn.Module:
    """Batch norm with fixed statistics, those of noise, which stay when the network is told to train.

    Args:
        network: Network.
        channels: Of its images.
        double: Whether it computes in float64.
    """
    generator = torch.Generator().manual_seed(0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(torch.randn(4, channels, 128, 128, generator=generator))
    for norm in norms:
        norm.eval()
        norm.train = lambda mode=True, norm=norm: norm
    if double:
        network.double().register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    return network


class InTurns(Sampler[int]):
    """The batches that processes would take at the same time in the first epoch, one after the other.

    Args:
        dataset: To draw from, as :class:`DistributedSampler` draws.
        batch_size: Of a process.
        processes: How many.
    """

    def __init__(self, dataset: Sized, batch_size: int, processes: int = 2) -> None:
        sampler: DistributedSampler = DistributedSampler(dataset, 1, 0)  # type: ignore[arg-type]
        sampler.set_epoch(1)  # as MONAI's trainer does
        whole = list(sampler)
        shares = [whole[rank::processes] for rank in range(processes)]
        starts = range(0, len(shares[0]), batch_size)
        self.order = [i for start in starts for share in shares for i in share[start : start + batch_size]]

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)
