"""The inferer against MONAI's sliding window on the mask alone, and its rules for the image class."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference

from monai_mtl.inferers import MultiTaskInferer
from monai_mtl.networks import HDSUResNet


@pytest.fixture(scope="module")
def net() -> HDSUResNet:
    torch.manual_seed(0)
    return HDSUResNet(widths=(4, 4, 8), bottom_width=8, cls_max_width=8, mil_stride=32).eval().double()


@torch.inference_mode()
def test_without_windows_it_is_the_network(net):
    image = torch.randn(2, 1, 64, 96, dtype=torch.float64)
    expected = net(image)
    for result in (MultiTaskInferer()(MetaTensor(image), net), MultiTaskInferer(roi_size=(64, 128))(image, net)):
        assert all(torch.equal(result[name], value) for name, value in expected.items())
        assert not isinstance(result["seg"], MetaTensor)


# float64: convolutions of another batch size differ in the last digits
@torch.inference_mode()
@pytest.mark.parametrize("mode", ["gaussian", "constant"])
def test_the_mask_equals_that_of_a_network_without_other_outputs(net, mode):
    image = torch.randn(2, 1, 96, 160, dtype=torch.float64)
    inferer = MultiTaskInferer(roi_size=(64, 64), overlap=0.5, mode=mode, sw_batch_size=3)
    expected = sliding_window_inference(image, (64, 64), 3, lambda x: net(x)["seg"], overlap=0.5, mode=mode)
    torch.testing.assert_close(inferer(image, net)["seg"], expected, rtol=0, atol=1e-9)


@torch.inference_mode()
def test_image_level_outputs_come_from_the_whole_image(net):
    image = torch.randn(2, 1, 96, 160, dtype=torch.float64)
    result, expected = MultiTaskInferer(roi_size=(64, 64))(image, net), net(image)
    torch.testing.assert_close(result["cls"], expected["cls"], rtol=0, atol=1e-9)
    torch.testing.assert_close(result["cls_map"], expected["cls_map"], rtol=0, atol=1e-9)


@torch.inference_mode()
def test_image_level_outputs_come_from_the_surest_window(net):
    image = torch.randn(2, 1, 64, 160, dtype=torch.float64)
    result = MultiTaskInferer(roi_size=(64, 64), overlap=0, image_level="max", sw_batch_size=2)(image, net)
    for i, one in enumerate(image):
        # MONAI pads the last window of 160 by moving it back inside
        windows = {left: net(one[None, :, :, left : left + 64]) for left in (0, 64, 96)}
        left, surest = max(windows.items(), key=lambda item: float(item[1]["cls"].diff()))
        assert result["window"][i].tolist() == [0, left, 64, left + 64]
        torch.testing.assert_close(result["cls"][i], surest["cls"][0])
        torch.testing.assert_close(result["cls_map"][i], surest["cls_map"][0])


@torch.inference_mode()
def test_windows_are_placed_where_monai_takes_them():
    seen = []

    def network(window):
        seen.append(window[0, 0, 32, 0].clone())
        return {"seg": window.clone(), "cls": torch.stack([torch.zeros(1), window[:, 0, 32, 0]], dim=1)}

    image = torch.rand(1, 1, 40, 150)
    inferer = MultiTaskInferer(roi_size=(64, 64), overlap=0.3, image_level="max")
    window = inferer(image, network)["window"][0].tolist()
    places = inferer._places(image)
    assert window == places[int(torch.stack(seen).argmax())]
    assert [float(image[0, 0, 32 + top, left]) for top, left, *_ in places] == [float(value) for value in seen]


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="image_level must be"):
        MultiTaskInferer(image_level="mean")
    with pytest.raises(ValueError, match="overlap must be"):
        MultiTaskInferer(overlap=1.0)
