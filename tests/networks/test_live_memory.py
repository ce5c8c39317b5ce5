"""How much an evaluation of HDS holds at once, counted tensor by tensor: no allocator plays a part."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from monai_mtl.networks import HDSUResNet


class LiveMemory(TorchDispatchMode):
    """Bytes of storages that operations made and that still live; ``peak`` is the most there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place not in self._seen:
            self._seen[place] = storage.nbytes()
            self.now += storage.nbytes()
            weakref.finalize(storage, self._forget, place)

    def _forget(self, place: int) -> None:
        self.now -= self._seen.pop(place)


def test_the_counter_counts():
    with torch.no_grad(), LiveMemory() as memory:
        first = torch.zeros(100)
        second = first + 1
        del first
        second = second * 2
    assert memory.peak == 800
    assert memory.now == 400
    assert bool((second == 2).all())


@pytest.mark.parametrize(("upsample", "fuse"), [("bilinear", "cat"), ("deconv", "sum")])
def test_an_evaluation_holds_no_more_than_a_join_and_its_parts(upsample, fuse):
    """A join is two maps of the finest stage and its parts one each; the map that was enlarged is half a map."""
    net, image = HDSUResNet(upsample=upsample, fuse=fuse).eval(), torch.rand(1, 1, 256, 128)
    with torch.no_grad(), LiveMemory() as memory:
        net(image)
    finest = 16 * image.numel() * 4
    assert memory.peak < 4.75 * finest
