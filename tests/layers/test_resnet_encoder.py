"""Dilated ResNets compute on a finer grid what the strided one does; a learned enlargement begins as bilinear."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from monai_mtl.layers import LearnedUpsample2d, LogSumExpPool2d, dilate_resnet, resnet_encoder


def last_stage(net: ResNet, image: Tensor) -> Tensor:
    first = net.maxpool(net.act(net.bn1(net.conv1(image))))
    return net.layer4(net.layer3(net.layer2(net.layer1(first))))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_the_finer_grid_holds_the_coarse_one(depth, output_stride):
    strided, dilated = resnet_encoder(depth, width=4).eval(), resnet_encoder(depth, width=4).eval()
    dilated.load_state_dict(strided.state_dict())
    dilate_resnet(dilated, output_stride)
    image, step = torch.randn(1, 3, 96, 64), 32 // output_stride
    with torch.inference_mode():
        coarse, fine = last_stage(strided, image), last_stage(dilated, image)
    assert coarse.shape[2:] == (3, 2)
    assert fine.shape[2:] == (96 // output_stride, 64 // output_stride)
    torch.testing.assert_close(fine[..., ::step, ::step], coarse, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(10, 4_905_792), (18, 11_176_512), (34, 21_284_672), (50, 23_508_032), (101, 42_500_160)],
)
def test_the_encoders_are_those_of_the_paper(depth, parameters):
    with torch.device("meta"):
        net = resnet_encoder(depth)
    assert sum(p.numel() for p in net.parameters()) == parameters
    # 17 convolutions and a classifier are 18 layers; projections do not count.
    convs = [name for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and "downsample" not in name]
    assert len(convs) + 1 == depth


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="depth must be one of"):
        resnet_encoder(19)
    with pytest.raises(ValueError, match="output_stride must be one of"):
        dilate_resnet(resnet_encoder(10, width=4), 4)


@pytest.mark.parametrize("factor", [2, 8, 32])
def test_a_learned_enlargement_begins_as_bilinear_interpolation_up_to_the_border(factor):
    maps = torch.randn(2, 3, 4, 5)
    expected = F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(LearnedUpsample2d(3, factor)(maps), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factor", [0, 1, 3])
def test_it_enlarges_by_even_factors_only(factor):
    with pytest.raises(ValueError, match="multiple of 2"):
        LearnedUpsample2d(3, factor)


def test_the_smooth_maximum_lies_between_average_and_maximum():
    maps = 3 * torch.randn(2, 5, 6, 7)
    expected = (2.0 * maps).exp().mean(dim=(2, 3)).log() / 2.0
    torch.testing.assert_close(LogSumExpPool2d(2.0)(maps), expected)
    torch.testing.assert_close(LogSumExpPool2d(1e-3)(maps), maps.mean(dim=(2, 3)), rtol=0.02, atol=0.02)
    torch.testing.assert_close(LogSumExpPool2d(1e4)(maps), maps.amax(dim=(2, 3)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(LogSumExpPool2d(50.0)(torch.full((1, 1, 3, 3), 1e4)), torch.tensor([[1e4]]))


def test_the_smooth_maximum_needs_a_sharpness():
    with pytest.raises(ValueError, match="sharpness must be > 0"):
        LogSumExpPool2d(0.0)
