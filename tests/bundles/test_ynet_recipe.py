"""The recipe of ynet_biopsy: tissue weights, two passes an epoch, stage 1 to stage 2, whole regions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from monai_mtl.errors import ConfigError, MissingError, own_error
from monai_mtl.handlers.checkpoint import write_checkpoint
from monai_mtl.networks import YNet

from ..conftest import ROOT
from ..small_runs import on_sample_data
from .test_all_bundles import workflow

BUNDLE = ROOT / "bundles" / "ynet_biopsy"
TILES = {"dataset_dir": str(BUNDLE / "sample_tiles")}
NARROW = {"network_def#width": 16, "network_def#depth": 1}
TISSUES, GRADES = 8, 6


def content(parser, *keys: str) -> list:
    return [parser.get_parsed_content(key) for key in keys]


def test_tissue_weights_come_from_the_training_masks_by_counting():
    """Of the four training tiles; the five have 110970, 51, 203008, 185333, 218573, 18282, 1063 and 0 pixels."""
    parser = workflow(BUNDLE, ["train"], **TILES, **NARROW).parser
    loss, cases = content(parser, "loss", "datalist")
    counts = np.zeros(TISSUES)
    for case in cases["training"]:
        counts += np.bincount(np.asarray(Image.open(case["label_seg"]))[..., 0].ravel(), minlength=TISSUES)
    wanted = [1 / math.log(1.10 + count / counts.sum()) for count in counts]
    assert loss.losses["seg"].class_weights == pytest.approx(wanted)
    for case in cases["validation"]:
        counts += np.bincount(np.asarray(Image.open(case["label_seg"]))[..., 0].ravel(), minlength=TISSUES)
    assert counts.tolist() == [110970, 51, 203008, 185333, 218573, 18282, 1063, 0]
    assert loss.weights == {"seg": 1.0, "cls": 1.0}


def test_the_classes_are_the_papers_unless_the_data_set_declares_its_own():
    tiles = workflow(BUNDLE, ["train"], **TILES, **NARROW).parser
    own = workflow(BUNDLE, ["train"], **NARROW).parser
    for parser, tissues, diagnoses in ((tiles, TISSUES, 4), (own, 2, GRADES)):
        network, settings = content(parser, "network_def", "weights_settings")
        outputs = network.eval()(torch.zeros(1, 3, 64, 64))
        assert (outputs["seg"].shape[1], outputs["cls"].shape[1]) == (tissues, diagnoses)
        assert (len(settings["seg_classes"]), len(settings["cls_classes"])) == (tissues, diagnoses)


def test_an_epoch_shows_every_tile_enlarged_and_plain_and_as_it_is_in_validation():
    parser = workflow(BUNDLE, ["train"], **TILES, **NARROW, max_trim=0).parser
    dataset, validate, cases = content(parser, "train#dataset", "validate#preprocessing", "datalist")
    count = len(cases["training"])
    assert len(dataset) == 2 * count
    original = torch.as_tensor(validate(dict(cases["training"][0]))["image"])
    pixels = np.asarray(Image.open(cases["training"][0]["image"]).convert("RGB"), np.float32)
    assert np.allclose(original.numpy().transpose(1, 2, 0), pixels / 255, atol=1e-6)  # red first, nothing resized
    offsets = set()
    for epoch in range(1, 9):
        dataset.set_epoch(epoch)
        plain, enlarged = (torch.as_tensor(dataset[i]["image"]) for i in (count, 0))
        flips = [original, original.flip(1), original.flip(2)]
        assert sum(bool(torch.equal(plain, one)) for one in flips) == 1
        large = torch.nn.functional.interpolate(original[None], size=(512, 512), mode="bilinear")[0]
        at = [
            (r, c)
            for one in (enlarged, enlarged.flip(1), enlarged.flip(2))
            for r, c in torch.argwhere((large[0, :65, :65] - one[0, 0, 0]).abs() < 1e-5).tolist()
            if torch.allclose(one, large[:, r : r + 384, c : c + 384], atol=1e-5)
        ]
        assert len(at) == 1
        offsets.update(at)
    assert len(offsets) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_tiles_of_both_passes_trimmed_or_not_come_in_one_batch(workers):
    parser = workflow(BUNDLE, ["train"], **TILES, **NARROW, num_workers=workers).parser
    dataset, loader = content(parser, "train#dataset", "train#dataloader")
    batches = list(loader)
    assert sum(len(batch["case_id"]) for batch in batches) == len(dataset)
    assert {batch["label_seg"].dtype for batch in batches} == {torch.uint8}
    assert {batch["image"].dtype for batch in batches} == {torch.float32}


def test_sgd_and_steps_are_the_authors():
    parser = workflow(BUNDLE, ["train"], **NARROW).parser
    optimizer, schedule, batch, epochs = content(parser, "optimizer", "lr_scheduler", "batch_size", "max_epochs")
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"], batch, epochs) == (1e-3, 0.9, 5e-4, 10, 100)
    rates = []
    for _ in range(epochs + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([1e-3] * 100 + [1e-4])


def test_stage_2_starts_from_the_tissue_weights_of_stage_1(tmp_path):
    first, settings = content(workflow(BUNDLE, ["train", "stage1"], **NARROW).parser, "network", "weights_settings")
    assert first.diagnosis is None
    write_checkpoint(tmp_path / "model.pt", {"model": first}, settings)
    torch.manual_seed(1)
    given = {"stage1_weights": str(tmp_path / "model.pt"), "seed": 1}
    second, identity = content(workflow(BUNDLE, ["train"], **given, **NARROW).parser, "network", "run_identity")
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name
    assert identity["stage1_weights"] == given["stage1_weights"]
    for weights, kind in (("absent.pt", MissingError), ("other.pt", ConfigError)):
        write_checkpoint(tmp_path / "other.pt", {"model": YNet(width=8)})
        with pytest.raises(RuntimeError) as raised:  # MONAI's, about the error below
            workflow(BUNDLE, ["train"], stage1_weights=str(tmp_path / weights), **NARROW)
        assert isinstance(own_error(raised.value), kind)


def test_stage_1_is_the_ablation_that_learns_the_tissue_alone():
    stage, ablation = (
        json.loads((BUNDLE / f"configs/{name}.json").read_text()) for name in ("stage1", "ablations/seg_only")
    )
    places = {"_desc_", "report_title", "ckpt_dir", "output_dir"}
    assert {k: v for k, v in stage.items() if k not in places} == {k: v for k, v in ablation.items() if k not in places}


@pytest.mark.slow
def test_stage_1_trains_and_is_scored_without_a_diagnosis(tmp_path):
    places = {"ckpt_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "eval")}
    short = {**on_sample_data(BUNDLE), "max_epochs": 1, "val_interval": 1, "interval_draws": 10}
    workflow(BUNDLE, ["train", "stage1"], **places, **short).run()
    workflow(BUNDLE, ["train", "stage1", "evaluate"], **places, **short).run()
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert set(metrics["metrics"]) == {"val_seg_miou", "val_seg_pixel_accuracy"}
    assert set(metrics["iou"]) == {"background", "gland"}
    figures = metrics["tables"]["clean_classes"]
    assert figures["miou"]["n"] == 3
    assert (figures["accuracy"]["value"], figures["accuracy"]["reason"]) == (None, "no case has a label")


def test_a_region_of_any_size_gets_mask_map_features_and_diagnosis(tmp_path):
    """A mosaic of the authors' tiles, 1200 x 900 pixels."""
    names = sorted(BUNDLE.glob("sample_tiles/*rgb/*.png"))
    mosaic = Image.new("RGB", (1200, 900))
    for i in range(12):
        mosaic.paste(Image.open(names[i % len(names)]), (384 * (i % 4), 384 * (i // 4)))
    (tmp_path / "images").mkdir()
    mosaic.save(tmp_path / "images" / "region.png")
    write_checkpoint(tmp_path / "model.pt", {"model": YNet(width=16, depth=1)})
    run = {"dataset_dir": str(tmp_path / "images"), "checkpoint": str(tmp_path / "model.pt"), "sure_above": 0.2}
    workflow(
        BUNDLE, ["inference"], "infer", output_dir=str(tmp_path / "out"), tissue_features=True, **run, **NARROW
    ).run()
    result = json.loads((tmp_path / "out" / "region.json").read_text())
    mask, certainty = (
        np.asarray(Image.open(tmp_path / "out" / result["files"][k])) for k in ("mask", "discriminative")
    )
    assert mask.shape == certainty.shape == (900, 1200)
    assert mask.max() < TISSUES
    assert result["image_size_xy"] == [1200, 900]
    shares = np.bincount(mask.ravel(), minlength=TISSUES) / mask.size
    assert list(result["tissue"].values()) == pytest.approx(shares.tolist(), abs=1e-6)
    assert result["features"][:TISSUES] == pytest.approx(shares.tolist(), abs=1e-5)  # all tiles are sure enough
    assert len(result["features"]) == 44
    assert sum(result["features"][TISSUES:]) == pytest.approx(1, abs=1e-4)
    tiles = np.array(result["tiles"]["probability"])
    assert tiles.shape == (4, 6)  # every 192 pixels, the last row and column moved inside
    assert result["tiles"]["sure"] == 24
    assert certainty.min() / 65535 >= tiles.min() - 1e-3
    assert certainty.max() / 65535 <= tiles.max() + 1e-3
    assert sum(result["classification"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_weights_of_other_classes_are_refused_with_the_setting_that_fits(tmp_path):
    names = {"seg_classes": ["background", "gland"], "cls_classes": ["a", "b"]}
    write_checkpoint(tmp_path / "model.pt", {"model": YNet(seg_classes=2, cls_classes=2, width=16)}, names)
    given = {"dataset_dir": str(BUNDLE / "sample_tiles/valrgb"), "checkpoint": str(tmp_path / "model.pt")}
    flow = workflow(BUNDLE, ["inference"], "infer", output_dir=str(tmp_path / "out"), **given, **NARROW)
    with pytest.raises(RuntimeError) as raised:  # MONAI's, about the error below
        flow.run()
    error = own_error(raised.value)
    assert isinstance(error, ConfigError)
    assert "was trained with seg_classes ['background', 'gland']" in str(error)
    assert error.fix == """--seg_classes "['background', 'gland']\""""
