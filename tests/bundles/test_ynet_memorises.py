"""Eight real colorectal images of six grades can be learnt by heart: labels, loss and outputs agree."""

from __future__ import annotations

import pytest
import torch
from monai.data import Dataset, list_data_collate

from monai_mtl.metrics.class_measures import mean_iou
from monai_mtl.metrics.class_scores import confusion_table

from .memorising import learn, training_of

STEPS, SIZE = 120, [128, 128]
"""Full batch, one tile of each image and no augmentation, a quarter of the width, 20 times the paper's rate."""


@pytest.mark.slow
def test_eight_images_are_memorised():
    overrides = {
        "image_size": SIZE,
        "network_def#width": 32,
        "learning_rate": 0.02,
    }
    parser = training_of("ynet_biopsy", **overrides)
    prepare, cases, tile = (
        parser.get_parsed_content(key) for key in ("train#prepare_batch", "datalist", "train#preprocessing")
    )
    chosen = [case for grade in range(6) for case in cases["training"] if case["label_cls"] == grade]
    chosen = chosen[::2] + chosen[1:4:2]
    tile.set_random_state(0)
    image, target = prepare(list_data_collate(list(Dataset(chosen, tile))), torch.device("cpu"))
    assert image.shape == (8, 3, *SIZE)
    assert sorted(set(target["cls"].tolist())) == list(range(6))
    out = learn(parser, image, target, STEPS, scheduled=False)
    guess, truth = out["seg"].argmax(1).numpy(), target["seg"][:, 0].numpy()
    scores = [mean_iou(confusion_table(t, g, 2)) for t, g in zip(truth, guess, strict=True)]
    assert min(scores) > 0.8, scores
    assert torch.equal(out["cls"].argmax(1), target["cls"])
