"""A region against its tiles one by one, and the memory of a large one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.data.utils import compute_importance_map
from PIL import Image

from monai_mtl.engines import Precision
from monai_mtl.inferers import RegionInferer, region_probability
from monai_mtl.networks import TissueDiagnosis, YNet
from monai_mtl.transforms import DiagnosisFromFeaturesd, TissueFeaturesd

from ..faults.measure import measured

GIGABYTE = 1000.0**3 / 2**20
"""In units of :class:`Measured`."""


@pytest.fixture(scope="module")
def net() -> YNet:
    torch.manual_seed(0)
    return YNet(width=8, depth=1).eval().double()


def starts(side: int, tile: int, step: int) -> list[int]:
    """Where tiles begin, the last moved inside."""
    return sorted({min(first, side - tile) for first in range(0, side, step)})


def tile_by_tile(net, image: torch.Tensor, tile: int, step: int, weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same result by the plainest loop."""
    (*_, height, width), found = image.shape, []
    seg, sure, total = torch.zeros(8, height, width), torch.zeros(1, height, width), torch.zeros(height, width)
    seg, sure, total = seg.double(), sure.double(), total.double()
    for top in starts(height, tile, step):
        for left in starts(width, tile, step):
            place = (slice(top, top + tile), slice(left, left + tile))
            out = net(image[(None, slice(None), *place)])
            seg[(slice(None), *place)] += weight * out["seg"][0]
            sure[(slice(None), *place)] += weight * out["cls"].softmax(dim=1).max()
            total[place] += weight
            found.append(out["cls"][0])
    grid = (len(starts(height, tile, step)), len(starts(width, tile, step)))
    return {"seg": seg / total, "discriminative": sure / total, "cls_map": torch.stack(found, dim=1).unflatten(1, grid)}


# float64: convolutions of another batch size differ in the last digits
@torch.inference_mode()
@pytest.mark.parametrize(("mode", "batch"), [("gaussian", 1), ("constant", 3)])
def test_it_equals_tile_by_tile(net, mode, batch):
    image = torch.rand(2, 3, 100, 150, dtype=torch.float64)
    result = RegionInferer(64, overlap=0.5, mode=mode, sw_batch_size=batch)(MetaTensor(image), net)
    weight = compute_importance_map((64, 64), mode=mode, sigma_scale=0.125, device="cpu", dtype=torch.float64)
    for i, one in enumerate(image):
        for name, value in tile_by_tile(net, one, 64, 32, weight).items():
            torch.testing.assert_close(result[name][i], value, rtol=0, atol=1e-9)
    assert result["cls_map"].shape == (2, 4, 3, 4)
    assert not isinstance(result["seg"], MetaTensor)


@torch.inference_mode()
def test_tiles_that_do_not_overlap_are_what_the_network_says(net):
    image = torch.rand(1, 3, 128, 192, dtype=torch.float64)
    result = RegionInferer(64, overlap=0.0)(image, net)
    for row in range(2):
        for column in range(3):
            place = (slice(64 * row, 64 * row + 64), slice(64 * column, 64 * column + 64))
            tile = net(image[(slice(None), slice(None), *place)])
            torch.testing.assert_close(result["seg"][(..., *place)], tile["seg"], rtol=0, atol=1e-9)
            torch.testing.assert_close(result["cls_map"][..., row, column], tile["cls"], rtol=0, atol=1e-9)
            sure = tile["cls"].softmax(dim=1).max().expand(1, 1, 64, 64)
            torch.testing.assert_close(result["discriminative"][(..., *place)], sure, rtol=0, atol=1e-9)


@torch.inference_mode()
def test_a_part_of_a_region_is_the_same_away_from_its_borders(net):
    image = torch.rand(1, 3, 200, 260, dtype=torch.float64)
    inferer = RegionInferer(64, overlap=0.5)
    whole, part = inferer(image, net), inferer(image[..., 32:160, 64:224], net)
    for name in ("seg", "discriminative"):
        inside = part[name][..., 32:-32, 32:-32]
        torch.testing.assert_close(inside, whole[name][..., 64:128, 96:192], rtol=0, atol=1e-9)
    torch.testing.assert_close(part["cls_map"], whole["cls_map"][..., 1:4, 2:6], rtol=0, atol=1e-9)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(40, 150), (40, 50), (64, 64)])
def test_a_side_shorter_than_a_tile_shortens_the_tile(net, size):
    image = torch.rand(1, 3, *size, dtype=torch.float64)
    result = RegionInferer(64)(image, net)
    assert result["seg"].shape == (1, 8, *size)
    assert result["discriminative"].shape == (1, 1, *size)
    columns = len(starts(size[1], min(size[1], 64), 32))
    assert result["cls_map"].shape == (1, 4, 1, columns)
    if columns == 1:
        torch.testing.assert_close(result["cls_map"][..., 0, 0], net(image)["cls"], rtol=0, atol=1e-9)
        probabilities = net(image)["cls"].softmax(dim=1)
        torch.testing.assert_close(result["cls"].softmax(dim=1), probabilities, rtol=0, atol=1e-9)


def test_sure_tiles_speak_for_the_region_and_all_if_none_is_sure():
    tiles = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    cls_map = tiles.log().T.reshape(1, 2, 1, 3)
    torch.testing.assert_close(region_probability(cls_map, 0.7), torch.tensor([[0.85, 0.15]]))
    torch.testing.assert_close(region_probability(cls_map, 0.95), tiles.mean(dim=0, keepdim=True))
    both = torch.cat([cls_map, cls_map.flip(1)])
    torch.testing.assert_close(region_probability(both, 0.7), torch.tensor([[0.85, 0.15], [0.15, 0.85]]))


def test_a_certain_region_has_finite_logits():
    result = RegionInferer(8)(torch.zeros(1, 1, 8, 8), lambda x: {"seg": x, "cls": torch.tensor([[0.0, 1e4]])})
    assert bool(torch.isfinite(result["cls"]).all())


@torch.inference_mode()
def test_a_network_of_the_first_stage_gives_a_mask_alone():
    result = RegionInferer(32)(torch.rand(1, 3, 50, 70), YNet(cls_classes=None, width=8, depth=1).eval())
    assert set(result) == {"seg"}


@torch.inference_mode()
def test_half_precision_comes_back_as_float32():
    small, image = YNet(width=8, depth=1).eval(), torch.rand(1, 3, 70, 70)
    exact = RegionInferer(64)(image, small)
    rough = RegionInferer(64, precision=Precision("bf16"))(image, small)
    assert {value.dtype for value in rough.values()} == {torch.float32}
    assert 0 < float((rough["cls"] - exact["cls"]).abs().max()) < 0.05


@pytest.mark.parametrize("wrong", [{"overlap": 1.0}, {"overlap": -0.1}, {"threshold": 1.0}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        RegionInferer(**wrong)


def large_region(tiles: list[np.ndarray]) -> torch.Tensor:
    """2000 rows of 3000 pixels made of tiles."""
    rows = [np.concatenate([tiles[(3 * i + j) % len(tiles)] for j in range(8)], axis=1) for i in range(6)]
    image = np.concatenate(rows)[:2000, :3000]
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def made_tiles() -> list[np.ndarray]:
    """Blots of colour."""
    coarse = [np.random.RandomState(i).randint(0, 256, (12, 12, 3), np.uint8) for i in range(5)]
    return [np.asarray(Image.fromarray(one).resize((384, 384), Image.Resampling.BICUBIC)) for one in coarse]


def real_tiles() -> list[np.ndarray]:
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "ynet_biopsy_tiles" / "rgb"
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]


@torch.inference_mode()
def whole_pipeline(tiles: list[np.ndarray]) -> dict[str, tuple]:
    torch.manual_seed(0)
    image = large_region(tiles)
    out = RegionInferer(threshold=0.3)(image, YNet().eval())
    d = {"image": image[0], "pred": out["seg"][0].argmax(dim=0), "discriminative": out["discriminative"][0]}
    d["cls"], d["cls_map"] = out["cls"][0], out["cls_map"][0]
    d = DiagnosisFromFeaturesd(TissueDiagnosis().eval())(TissueFeaturesd(threshold=0.3)(d))
    assert bool(torch.isfinite(d["features"]).all())
    assert float(d["diagnosis"].sum()) == pytest.approx(1)
    return {name: tuple(value.shape) for name, value in d.items()}


@pytest.mark.slow
@pytest.mark.parametrize("tiles", [made_tiles, pytest.param(real_tiles, marks=pytest.mark.realdata)])
def test_a_region_of_3000_by_2000_pixels_needs_less_than_a_gigabyte(tiles):
    result = measured(lambda: whole_pipeline(tiles()), patience=1200)
    assert result.failure == ""
    assert result.value == {
        "image": (3, 2000, 3000), "pred": (2000, 3000), "discriminative": (1, 2000, 3000), "cls": (4,),
        "cls_map": (4, 10, 15), "features": (44,), "diagnosis": (4,),
    }  # fmt: skip
    assert result.megabytes < GIGABYTE
