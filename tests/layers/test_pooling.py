"""Pooling without places gives PyTorch's numbers, and steps aside where gradients or an export need the places."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from monai_mtl.layers import HalvingMaxPool2d


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (1, 1, 7, 9), (1, 2, 2, 3)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_numbers_are_those_of_pytorch(dtype, shape, memory_format):
    image = torch.randn(shape).to(dtype).to(memory_format=memory_format)
    with torch.no_grad():
        found = HalvingMaxPool2d()(image)
    assert torch.equal(found, nn.MaxPool2d(2)(image))
    assert found.is_contiguous(memory_format=memory_format)


def test_what_is_not_finite_stays_so():
    image = torch.tensor([[[[math.nan, 1, -math.inf, -math.inf], [2, 3, -math.inf, -math.inf]]]])
    with torch.no_grad():
        found = HalvingMaxPool2d()(image)
    assert math.isnan(found[0, 0, 0, 0])
    assert found[0, 0, 0, 1] == -math.inf


def test_gradients_are_those_of_pytorch_also_between_equals():
    image = torch.randint(0, 2, (1, 2, 8, 8)).float()
    gradients = []
    for pool in (HalvingMaxPool2d(), nn.MaxPool2d(2)):
        given = image.clone().requires_grad_()
        (pool(given) * torch.arange(32.0).view(1, 2, 4, 4)).sum().backward()
        gradients.append(given.grad)
    assert torch.equal(*gradients)


def test_a_trace_and_a_script_hold_the_plain_pooling():
    image = torch.randn(1, 2, 6, 4)
    with torch.no_grad():
        traced = torch.jit.trace(HalvingMaxPool2d(), image)
        scripted = torch.jit.script(HalvingMaxPool2d())
        assert torch.equal(scripted(image), nn.MaxPool2d(2)(image))
    assert "max_pool2d" in str(traced.graph)
    assert "maximum" not in str(traced.graph)
