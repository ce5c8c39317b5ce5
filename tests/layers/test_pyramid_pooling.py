"""Pooling for export against PyTorch's, and the order of the pyramid."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from monai_mtl.layers import PyramidPooling, adaptive_average_pool


@pytest.mark.parametrize(("size", "result"), [((48, 96), (40, 36)), ((33, 47), (12, 39)), ((7, 5), (7, 1))])
def test_the_form_for_export_equals_pytorch(monkeypatch, size, result):
    x = torch.randn(2, 3, *size)
    expected = F.adaptive_avg_pool2d(x, result)
    assert torch.equal(adaptive_average_pool(x, *result), expected)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(adaptive_average_pool(x, *result), expected)


@torch.inference_mode()
@pytest.mark.parametrize("align_corners", [True, False])
def test_the_map_stands_first_then_its_averages(align_corners):
    pool, x = PyramidPooling(6, 2, align_corners).eval(), torch.randn(1, 6, 24, 48)
    out = pool(x)
    assert torch.equal(out[:, :6], x)
    for i, (part, whole) in enumerate([(5, 6), (2, 3), (1, 2), (3, 8)]):
        pooled = pool.branches[i](F.adaptive_avg_pool2d(x, (24 * part // whole, 48 * part // whole)))
        branch = F.interpolate(pooled, size=(24, 48), mode="bilinear", align_corners=align_corners)
        torch.testing.assert_close(out[:, 6 + 2 * i : 8 + 2 * i], branch)
