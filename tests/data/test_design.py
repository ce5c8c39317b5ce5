"""What a part of a training was set to, whatever was drawn, learned or counted since."""

from __future__ import annotations

import torch
from torch import nn

from monai_mtl.data import design_of
from monai_mtl.losses import MultiTaskLoss
from monai_mtl.networks import HDSUResNet

WIDTHS = {"widths": (4, 8, 8, 8, 8), "bottom_width": 8, "cls_max_width": 8}


def test_a_network_is_its_settings_and_not_its_weights():
    first, second = HDSUResNet(**WIDTHS), HDSUResNet(**WIDTHS)
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
    assert design_of(first) == design_of(second)
    others = [{"dropout": 0.4}, {"fuse": "sum"}, {"upsample": "deconv"}, {"mil_select": "background_logit"}]
    others += [{"bottom_width": 16}]
    assert len({design_of(first), *(design_of(HDSUResNet(**WIDTHS | one)) for one in others)}) == 1 + len(others)


def test_batch_normalisation_of_several_processes_is_the_same():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = design_of(network)
    network.compile()
    assert design_of(nn.SyncBatchNorm.convert_sync_batchnorm(network)) == before
    assert design_of(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, momentum=0.5))) != before


def test_a_loss_is_its_parts_weights_and_buffers():
    def loss(weight=1.0, of_class=1.0, smoothing=0.0):
        cls = nn.CrossEntropyLoss(torch.tensor([1.0, of_class]), label_smoothing=smoothing)
        return MultiTaskLoss({"seg": nn.BCEWithLogitsLoss(), "cls": cls}, {"seg": 1.0, "cls": weight})

    assert design_of(loss()) == design_of(loss())
    assert len({design_of(one) for one in (loss(), loss(2.0), loss(1.0, 2.0), loss(1.0, 1.0, 0.1))}) == 4


def test_an_optimiser_and_its_schedule_are_told_before_and_after_it_was_made():
    def optimiser(**more):
        return torch.optim.SGD([{"params": nn.Linear(2, 2).parameters()}], **{"lr": 0.1, "momentum": 0.9, **more})

    plain, driven = optimiser(), optimiser()
    schedule = torch.optim.lr_scheduler.LinearLR(driven, start_factor=0.5)
    assert driven.param_groups[0]["lr"] == 0.05
    assert design_of(plain) == design_of(driven)
    others = [{"lr": 0.2}, {"momentum": 0.5}, {"weight_decay": 0.1}, {"nesterov": True}]
    assert len({design_of(plain), *(design_of(optimiser(**one)) for one in others)}) == 1 + len(others)
    assert design_of(schedule) == design_of(torch.optim.lr_scheduler.LinearLR(optimiser(), start_factor=0.5))
    assert design_of(schedule) != design_of(torch.optim.lr_scheduler.LinearLR(optimiser(), start_factor=0.25))
