"""Grad-CAM of a network that answers with a dictionary, against its formula written out."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from monai_mtl.errors import ConfigError
from monai_mtl.inferers import ClassActivation, MultiTaskInferer
from monai_mtl.precision import Precision


class Small(nn.Module):
    """Two layers, a mask and a class."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(5, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features = self.second(self.first(image))
        return {"seg": image[:, :1], "cls": self.head(features.tanh().mean((2, 3)))}


def written_out(network: Small, image: Tensor) -> Tensor:
    """The sum of the maps, each times the mean of its gradient, where it is positive; largest value 1."""
    maps = network.second(network.first(image)).detach().requires_grad_()
    logits = network.head(maps.tanh().mean((2, 3)))
    logits[0, logits.argmax()].backward()
    heat = (maps.grad.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    heat = nn.functional.interpolate(heat, image.shape[2:], mode="bilinear", align_corners=False)
    return (heat / heat.max()).detach()


def test_it_is_the_formula_for_each_image_also_in_inference_mode():
    network, images = Small().eval(), torch.randn(3, 3, 12, 16)
    expected = torch.cat([written_out(network, one[None]) for one in images])
    answer = MultiTaskInferer(cam_layer="second")
    with torch.inference_mode():
        given = images.clone()
        outputs = answer(given, network)
    assert outputs["cls_cam"].shape == (3, 1, 12, 16)
    torch.testing.assert_close(outputs["cls_cam"], expected, atol=1e-5, rtol=1e-4)
    assert outputs["cls_cam"].amax((1, 2, 3)).tolist() == pytest.approx([1, 1, 1])
    plain = MultiTaskInferer()(images, network)
    assert set(outputs) - set(plain) == {"cls_cam"}
    torch.testing.assert_close(outputs["cls"], plain["cls"])


def test_the_network_is_left_as_it_was():
    network = Small().eval()
    ClassActivation("second")(torch.randn(1, 3, 12, 16), network, nullcontext)
    assert not any(layer._forward_hooks or layer._backward_hooks for layer in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_weights_may_be_held_in_another_type():
    network, image = Small().eval(), torch.randn(1, 3, 12, 16)
    expected = written_out(network, image)
    precision = Precision("bf16")
    with torch.inference_mode():
        outputs = MultiTaskInferer(precision=precision, cam_layer="second")(image, precision.round_weights(network))
    assert outputs["cls_cam"].dtype == torch.float32
    assert (outputs["cls_cam"] - expected).abs().max() < 0.1


def test_where_nothing_speaks_for_the_class_the_map_is_zero():
    network = Small().eval()
    nn.init.zeros_(network.head.weight)
    assert ClassActivation("second")(torch.randn(1, 3, 12, 16), network, nullcontext).abs().max() == 0


def test_what_has_no_gradients_or_no_such_layer_is_refused():
    image = torch.zeros(1, 3, 12, 16)
    with pytest.raises(ConfigError, match="needs the network's gradients") as raised:
        ClassActivation("second")(image, lambda image: {}, nullcontext)
    assert "--backend torch" in raised.value.fix
    with pytest.raises(ConfigError, match="has no layer 'third'"):
        ClassActivation("third")(image, Small(), nullcontext)
