"""Selection rules and pooling of a class map."""

from __future__ import annotations

import pytest
import torch

from monai_mtl.layers import foreground_probability, pool_instances, select_instance


def test_foreground_is_everything_but_class_0():
    cls_map = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(foreground_probability(cls_map), 1 - cls_map.softmax(1)[:, 0])


def test_pooling_takes_the_logits_of_the_surest_position():
    cls_map = torch.randn(6, 2, 3, 5)
    pooled = pool_instances(cls_map)
    torch.testing.assert_close(pooled.softmax(1)[:, 1], foreground_probability(cls_map).flatten(1).max(1).values)


def test_the_surest_position_is_found_where_the_probability_rounds_to_one():
    cls_map = torch.zeros(1, 2, 2, 2)
    cls_map[0, 1] = torch.tensor([[20.0, 5.0], [40.0, 80.0]])
    assert int(select_instance(cls_map)) == 3


def test_no_gradient_flows_through_the_choice():
    cls_map = torch.randn(1, 2, 2, 2, requires_grad=True)
    pool_instances(cls_map).sum().backward()
    assert int((cls_map.grad != 0).sum()) == 2
    row, column = divmod(int(select_instance(cls_map)), 2)
    assert cls_map.grad[0, :, row, column].tolist() == [1.0, 1.0]


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="unknown MIL rule 'mean'"):
        select_instance(torch.zeros(1, 2, 1, 1), "mean")
