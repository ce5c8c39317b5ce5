"""Eight real photos, four malignant, can be learnt by heart: boxes, masks and labels, in eval mode."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import torch
from monai.data import list_data_collate
from monai.metrics import compute_dice
from monai.transforms import Compose, LoadImaged, Resized, SpatialPadd, Transposed

from monai_mtl.engines import PrepareTargetsBatch
from monai_mtl.layers import box_iou, mask_boxes
from monai_mtl.losses import LesionRCNNLoss
from monai_mtl.networks import LesionRCNN
from monai_mtl.transforms import EnsureTaskLabelsd, LoadMaskd

STEPS, SIZE = 250, 128
"""Full batch, no augmentation, random weights, a quarter of the paper's width: minutes on a core."""


def eight_cases() -> tuple[torch.Tensor, dict[str, torch.Tensor], tuple, dict]:
    """Four benign and four malignant photos as the paper prepares them: shape kept, zeros around."""
    folder = Path(os.environ["MONAI_MTL_DATA"]) / "isic2017_labelled"
    with open(folder / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = [row for kind in ("benign", "malignant") for row in [r for r in rows if r["benign_malignant"] == kind][:4]]
    both = ["image", "label_seg"]
    prepare = Compose(
        [
            LoadImaged("image", reader="monai_mtl.data.MedicalReader", color="rgb", ensure_channel_first=True),
            LoadMaskd("label_seg", "image"),
            EnsureTaskLabelsd({"seg": "mask", "cls": "class"}),
            Transposed(both, (0, 2, 1)),
            Resized(both, SIZE, size_mode="longest", mode=["bilinear", "nearest-exact"], anti_aliasing=[True, False]),
            SpatialPadd(both, (SIZE, SIZE)),
        ]
    )
    cases = [
        {
            "image": str(folder / row["image"]),
            "label_seg": str(folder / row["mask"]),
            "label_cls": int(row["benign_malignant"] == "malignant"),
        }
        for row in chosen
    ]
    return PrepareTargetsBatch(["seg", "cls"])(list_data_collate([prepare(case) for case in cases]), "cpu")


@pytest.mark.slow
@pytest.mark.realdata
def test_eight_photos_are_memorised():
    image, target, _, named = eight_cases()
    assert image.shape == (8, 3, SIZE, SIZE)
    network = LesionRCNN(
        encoder_depth=18,
        width=16,
        pyramid_channels=32,
        hidden=128,
        anchor_sizes=(16, 32, 64, 128, 256),
        freeze_norm=False,
        proposals=(1000, 300, 100),
        samples=(128, 48),
        min_confidence=0.5,
    )
    loss = LesionRCNNLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, 1.5e-4)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(network(image, **named), target).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        out = network.eval()(image)
    true, _ = mask_boxes(target["seg"])
    overlap = box_iou(out["det"][:, None, :4], true.unsqueeze(1))[:, 0, 0]
    dice = compute_dice((out["seg"] > 0).long(), target["seg"].long())
    assert float(out["det"][:, 4].min()) > 0.5
    assert float(overlap.min()) > 0.7, overlap.tolist()
    assert float(dice.min()) > 0.8, dice.flatten().tolist()
    assert torch.equal(out["cls"].argmax(1), target["cls"])
