"""Tissue statistics against counts by hand, and a region from mask to diagnosis."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_mtl.networks import TissueDiagnosis
from monai_mtl.transforms import DiagnosisFromFeaturesd, TissueFeaturesd
from monai_mtl.transforms.tissue_features import superpixels, tissue_cooccurrence, tissue_frequencies

# 2 x 3 patches of 4 x 4 pixels: tissues 0 1 1 above 2 0 1.
PATCHES = np.kron(np.arange(6).reshape(2, 3), np.ones((4, 4), int))
MASK = np.array([0, 1, 1, 2, 0, 1])[PATCHES]


def triangle(classes: int, **pairs: int) -> np.ndarray:
    """Co-occurrences in the order of the features from counts such as ``_01=2``."""
    order = [(i, j) for i in range(classes) for j in range(i, classes)]
    return np.array([pairs.get(f"_{i}{j}", 0) for i, j in order]) / sum(pairs.values())


def test_frequencies_are_shares_of_pixels():
    assert tissue_frequencies(MASK, 4).tolist() == pytest.approx([2 / 6, 3 / 6, 1 / 6, 0])
    assert tissue_frequencies(MASK, 4, MASK != 1).tolist() == pytest.approx([2 / 3, 0, 1 / 3, 0])
    assert np.isnan(tissue_frequencies(MASK, 4, MASK == 3)).all()


def test_cooccurrences_are_shares_of_touching_pairs():
    # beside: 0-1, 1-1, 2-0, 0-1; above: 0-2, 1-0, 1-1
    np.testing.assert_allclose(tissue_cooccurrence(MASK, PATCHES, 3), triangle(3, _01=3, _11=2, _02=2))


def test_a_patch_is_of_the_tissue_that_most_of_its_pixels_have():
    mask = MASK.copy()
    mask[1:3, 1:3] = 2
    np.testing.assert_allclose(tissue_cooccurrence(mask, PATCHES, 3), tissue_cooccurrence(MASK, PATCHES, 3))


def test_patches_without_a_pixel_that_counts_are_left_out():
    keep = PATCHES < 3
    keep[0, 0] = False
    np.testing.assert_allclose(tissue_cooccurrence(MASK, PATCHES, 3, keep), triangle(3, _01=1, _11=1))
    assert np.isnan(tissue_cooccurrence(MASK, PATCHES, 3, PATCHES == 0)).all()


def test_patches_tile_the_image_and_keep_to_its_colours():
    image = np.zeros((90, 120, 3))
    image[:, 60:] = 0.8
    patches = superpixels(image, pixels=300, block=70)
    assert sorted(np.unique(patches)) == list(range(patches.max() + 1))
    assert patches.dtype == np.int32
    assert 90 * 120 / 300 / 2 < patches.max() + 1 < 90 * 120 / 300 * 2
    assert not set(patches[:, :60].ravel()) & set(patches[:, 60:].ravel())
    assert not set(patches[:45].ravel()) & set(patches[45:].ravel())


def region() -> dict:
    mask = np.kron(np.arange(8).reshape(2, 4), np.ones((40, 40), int))
    image = np.stack([mask / 8, 1 - mask / 8, mask % 2])
    sure = np.where(mask < 3, 0.9, 0.2)[None]
    return {"pred": torch.from_numpy(mask), "image": MetaTensor(image), "discriminative": torch.from_numpy(sure)}


def test_eight_tissues_make_44_features_of_the_sure_part():
    d = TissueFeaturesd(pixels=400)(region())
    assert d["features"].shape == (44,)
    assert d["features"].dtype == torch.float32
    assert d["features"][:8].tolist() == pytest.approx([1 / 3] * 3 + [0] * 5)
    assert float(d["features"][8:].sum()) == pytest.approx(1)
    whole = TissueFeaturesd(pixels=400, map_key=None)(region())
    assert whole["features"][:8].tolist() == pytest.approx([1 / 8] * 8)
    nowhere_sure = TissueFeaturesd(pixels=400, threshold=0.95)(region())
    assert torch.equal(nowhere_sure["features"], whole["features"])


def test_a_mask_with_a_channel_is_the_same():
    d = region()
    d["pred"] = MetaTensor(d["pred"][None].float())
    assert torch.equal(TissueFeaturesd(pixels=400)(d)["features"], TissueFeaturesd(pixels=400)(region())["features"])


def test_the_diagnosis_is_that_of_the_network():
    net = TissueDiagnosis().eval()
    d = DiagnosisFromFeaturesd(net)(TissueFeaturesd(pixels=400)(region()))
    expected = net(d["features"][None])["cls"].softmax(dim=1)[0]
    torch.testing.assert_close(d["diagnosis"], expected)


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"threshold": 1.0}, {"pixels": 0}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="TissueFeaturesd expects"):
        TissueFeaturesd(**wrong)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="holds tissue 7, the last of 7 is 6"):
        TissueFeaturesd(classes=7)(region())
    d = region()
    d["pred"] = d["pred"][:-1]
    with pytest.raises(ValueError, match=r"mask has \(79, 160\) pixels, its image \(80, 160\)"):
        TissueFeaturesd()(d)
