"""Gate unit and the two kinds of attention against what their descriptions say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_mtl.layers import ChannelAttention, DeformableSpatialAttention, DeformConv2d, GateUnit


def test_the_gate_is_one_factor_an_image_the_mean_of_one_map_and_the_maximum_of_the_other():
    unit, x = GateUnit(32), torch.randn(3, 32, 5, 6)
    maps = unit.gate(x)
    assert maps.shape == (3, 2, 5, 6)
    factor = maps[:, 0].flatten(1).mean(1) + maps[:, 1].flatten(1).max(1).values
    torch.testing.assert_close(unit(x), unit.output(x * factor.view(3, 1, 1, 1)))


def test_a_closed_gate_lets_nothing_of_the_image_through():
    unit = GateUnit(32)
    nn.init.zeros_(unit.gate[3].weight)
    nn.init.constant_(unit.gate[3].bias, -100.0)
    torch.testing.assert_close(unit(torch.randn(1, 32, 4, 4)), unit(torch.zeros(1, 32, 4, 4)))


def test_groups_of_the_norms():
    unit, attention = GateUnit(64), DeformableSpatialAttention(64)
    assert [m.num_groups for m in (unit.gate[1], unit.output[1])] == [4, 16]
    assert [m.num_groups for m in (attention.look[1], attention.merge[1])] == [16, 16]


@pytest.mark.parametrize("deformable", [True, False])
def test_spatial_attention_weighs_by_mean_and_maximum_over_the_channels(deformable):
    module, x = DeformableSpatialAttention(8, deformable), torch.randn(2, 8, 6, 5)
    assert sum(isinstance(m, DeformConv2d) for m in module.modules()) == (2 if deformable else 0)
    seen = module.look(x)
    by_mean = module.from_mean(seen.mean(1, keepdim=True)) * seen
    by_max = module.from_max(seen.max(1, keepdim=True).values) * seen
    torch.testing.assert_close(module(x), module.merge(torch.cat([by_mean, by_max], 1)))


def test_channel_attention_is_one_factor_a_channel():
    module, x = ChannelAttention(32), torch.randn(2, 32, 6, 5)
    seen = torch.cat([x.flatten(2).mean(2), x.flatten(2).max(2).values], 1)
    expected = (x * module.linear(seen).view(2, 32, 1, 1)).clamp(min=0)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("parameters", [{512: 2_657_090, 256: 664_994, 128: 166_610, 64: 41_834}])
def test_parameters_equal_the_published_counts(parameters):
    for channels, count in parameters.items():
        assert sum(p.numel() for p in GateUnit(channels).parameters()) == count
    for channels, count in {512: 7_453_258, 256: 1_957_194}.items():
        assert sum(p.numel() for p in DeformableSpatialAttention(channels).parameters()) == count


@pytest.mark.parametrize(
    ("kind", "channels"),
    [(GateUnit, 8), (GateUnit, 24), (DeformableSpatialAttention, 6), (ChannelAttention, 24), (ChannelAttention, 0)],
)
def test_channels_that_do_not_split_are_refused(kind, channels):
    with pytest.raises(ValueError, match=f"{kind.__name__} expects a multiple of"):
        kind(channels)
