"""Our resizing gives MONAI's numbers, whatever the memory layout, and can be undone."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Resize, Resized
from torch import Tensor

from monai_mtl.transforms import SeparableResize, SeparableResized
from monai_mtl.transforms.resize import resize_separable

SIZES = [
    ((1, 97, 131), (32, 64)),
    ((3, 64, 50), (128, 100)),
    ((1, 400, 333), (64, 40)),
    ((2, 50, 60), (50, 60)),
    ((1, 40, 300), (80, 32)),
    ((1, 7, 5), (3, 9)),
    ((1, 1, 8), (4, 4)),
]
MODES = [("area", False), ("bilinear", False), ("bilinear", True)]


def picture(shape: tuple[int, ...], columns_first: bool = False) -> MetaTensor:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    values = values.mT.contiguous().mT if columns_first else values
    return MetaTensor(values, affine=torch.diag(torch.tensor([0.5, 0.25, 1.0, 1.0])))


@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize(("mode", "smooth"), MODES)
@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_numbers_and_books_are_those_of_monai(shape, size, mode, smooth, columns_first):
    image = picture(shape, columns_first)
    options = {"mode": mode, "anti_aliasing": smooth}
    expected = Resized("image", size, **options)({"image": image})["image"]
    found = SeparableResized("image", size, **options)({"image": image})["image"]
    torch.testing.assert_close(found.as_tensor(), expected.as_tensor(), rtol=0, atol=2e-6)
    assert torch.equal(found.affine, expected.affine)
    assert found.dtype == torch.float32


@pytest.mark.parametrize(("mode", "smooth"), MODES)
def test_the_inverse_is_that_of_monai(mode, smooth):
    restored = []
    for kind in (Resized, SeparableResized):
        steps = Compose([kind("image", (40, 30), mode=mode, anti_aliasing=smooth)])
        case = steps({"image": picture((1, 90, 70))})
        case = Invertd("image", steps, nearest_interp=False)(case)
        restored.append(case["image"])
        assert case["image"].shape == (1, 90, 70)
        assert case["image"].applied_operations == []
    torch.testing.assert_close(restored[1].as_tensor(), restored[0].as_tensor(), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "nearest-exact"},
        {"mode": "bilinear", "align_corners": True},
        {"mode": "area", "anti_aliasing": True},
        {"mode": "bilinear", "anti_aliasing": True, "anti_aliasing_sigma": 2.0},
    ],
)
def test_what_it_does_not_do_itself_is_left_to_monai(options):
    image = picture((1, 64, 50))
    assert torch.equal(SeparableResize((20, 30))(image, **options), Resize((20, 30))(image, **options))


def test_images_that_are_not_on_the_cpu_are_left_to_monai():
    image = torch.empty(1, 64, 50, device="meta")
    assert SeparableResize((20, 30), mode="bilinear")(image).device.type == "meta"


def test_volumes_longest_sides_and_plain_tensors():
    volume = MetaTensor(torch.rand(1, 8, 9, 10))
    assert torch.equal(SeparableResize((4, 5, 6))(volume), Resize((4, 5, 6))(volume))
    image = picture((1, 64, 50))
    longest = SeparableResize(32, size_mode="longest")(image)
    assert longest.shape == (1, 32, 25)
    plain = SeparableResize((32, -1))(image.as_tensor())
    assert type(plain) is Tensor
    assert plain.shape == (1, 32, 50)


def test_a_constant_stays_constant_and_a_mean_stays_the_mean():
    image = torch.rand(1, 60, 80)
    constant = resize_separable(torch.full((1, 60, 80), 7.0), (20, 16), "area")
    torch.testing.assert_close(constant, torch.full((1, 20, 16), 7.0))
    torch.testing.assert_close(resize_separable(image, (20, 16), "area").mean(), image.mean())
