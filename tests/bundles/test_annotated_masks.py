"""A training on pictures and masks that it is handed, as MONAI Label asks for one: no class, no name, no data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from monai_mtl.errors import ImageError, own_error

from ..every_bundle import BUNDLES, every_bundle
from ..factories import breast
from ..small_runs import fitting, small_run
from .test_all_bundles import workflow

WEIGHED = [b for b in BUNDLES if '"frequencies"' in (b.folder / "configs" / "train.json").read_text()]
"""Bundles whose loss weighs classes by their share of the training masks."""


def training(bundle, folder, *, foreign: bool = False):
    """Of one epoch; the masks hold every class of the bundle's own, and ``foreign`` one more."""
    cases, labels = [], list(bundle.metadata["network_data_format"]["outputs"]["pred"]["channel_def"])[1:]
    for i in range(4):
        image, spot = breast(192, 160, lesion=True, seed=i)
        mask = np.zeros_like(spot)
        for value in range(1, len(labels) + 1 + foreign):
            mask[np.roll(spot > 0, 4 * value, axis=0)] = value
        for name, array in (("image", image), ("mask", mask)):
            Image.fromarray(array).save(folder / f"{name}{i}.png")
        cases.append({"image": str(folder / f"image{i}.png"), "label": str(folder / f"mask{i}.png")})
    settings = {
        **fitting(small_run(bundle.folder), bundle.folder, "train"),
        "dataset_dir": str(folder / "no data set"),
        "train#dataset#data": cases[:2],
        "validate#dataset#data": cases[2:],
        "ckpt_dir": str(folder / "models"),
        "output_dir": str(folder / "eval"),
        "train#trainer#max_epochs": 1,
        "device": "cpu",
    }
    return workflow(bundle.folder, ["train"], **settings)


@every_bundle
def test_it_learns_from_masks_of_the_bundles_own_classes_and_looks_at_nothing_else(bundle, tmp_path):
    flow = training(bundle, tmp_path)
    before = {key: value.clone() for key, value in flow.parser.get_parsed_content("network").state_dict().items()}
    flow.run()
    after = torch.load(tmp_path / "models" / "model.pt", weights_only=True)["model"]
    assert any(not torch.equal(before[key], value) for key, value in after.items() if key.endswith("weight"))
    # Such as check.json of a data set that was examined.
    assert not (tmp_path / "eval").exists() or not list((tmp_path / "eval").glob("check*"))


@every_bundle
def test_a_value_that_is_no_class_is_named(bundle, tmp_path):
    with pytest.raises((ImageError, RuntimeError)) as raised:
        training(bundle, tmp_path, foreign=True).run()
    error = own_error(raised.value)
    assert isinstance(error, ImageError)
    assert error.kind == "values"


@pytest.mark.parametrize("bundle", WEIGHED, ids=lambda bundle: bundle.name)
def test_weights_of_classes_are_of_the_masks_that_it_is_handed(bundle, tmp_path):
    parser = training(bundle, tmp_path).parser
    shares = parser.get_parsed_content("frequencies")
    assert len(shares) == len(parser.get_parsed_content("seg_classes")) > 2
    assert min(shares) > 0  # as of no sample data
    assert sum(shares) == pytest.approx(1)
