"""The efficient spatial pyramid and the residual block, written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from monai_mtl.layers import ESPBlock, PostActBlock


@torch.inference_mode()
def test_the_pyramid_sums_from_small_to_large_dilations():
    block, x = ESPBlock(8).eval(), torch.randn(2, 8, 20, 24)
    reduced = F.conv2d(x, block.reduce.weight, padding=1)
    d = {
        rate: F.conv2d(reduced, conv.weight, padding=rate, dilation=rate)
        for rate, conv in zip((1, 2, 4, 8), block.dilated, strict=True)
    }
    pyramid = torch.cat([d[1], d[2], d[2] + d[4], d[2] + d[4] + d[8]], dim=1)
    torch.testing.assert_close(block(x), F.relu(block.norm(x + pyramid)))


@torch.inference_mode()
def test_the_residual_block_acts_after_the_sum():
    block, x = PostActBlock(4).eval(), torch.randn(2, 4, 9, 7)
    (conv1, norm1, _), (conv2, norm2) = block.first, block.second
    torch.testing.assert_close(block(x.clone()), F.relu(x + norm2(conv2(F.relu(norm1(conv1(x)))))))


@pytest.mark.parametrize("channels", [0, 6])
def test_channels_that_have_no_quarter_are_refused(channels):
    with pytest.raises(ValueError, match="multiple of 4 channels"):
        ESPBlock(channels)
