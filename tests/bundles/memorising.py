"""Eight images are learnt by heart: whole batches, no augmentation, of the parts that a train.json names."""

from __future__ import annotations

from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.data import Dataset, list_data_collate

from ..conftest import ROOT


def training_of(bundle: str, **settings: Any) -> ConfigParser:
    """The parser of a bundle's training, whose parts are made once.

    Args:
        bundle: Name.
        **settings: Overrides.
    """
    folder = ROOT / "bundles" / bundle
    file = str(folder / "configs" / "train.json")
    workflow = ConfigWorkflow(config_file=file, workflow_type="train", bundle_root=str(folder), **settings)
    workflow.initialize()
    return workflow.parser


def eight_cases(parser: ConfigParser) -> dict:
    """A batch of the sample data, four of each class, as a validation prepares them."""
    cases = parser.get_parsed_content("datalist")["training"]
    chosen = [c for c in cases if c["label_cls"] == 1][:4] + [c for c in cases if c["label_cls"] == 0][:4]
    transform = parser.get_parsed_content("validate#preprocessing")
    return list_data_collate(list(Dataset(chosen, transform)))


def learn(
    parser: ConfigParser, image: torch.Tensor, target: dict[str, Any], steps: int, scheduled: bool = True
) -> dict[str, torch.Tensor]:
    """What the network answers in eval mode after some steps.

    Args:
        parser: Of the training.
        image: Batch.
        target: Of the batch, as ``prepare_batch`` gives it.
        steps: Each with the whole batch.
        scheduled: Whether the schedule of the rate is followed, a step as an epoch.
    """
    network, loss, optimizer, schedule = (
        parser.get_parsed_content(key) for key in ("network", "loss", "optimizer", "lr_scheduler")
    )
    network.train()
    for step in range(steps):
        if hasattr(loss, "epoch"):
            loss.epoch = step + 1
        optimizer.zero_grad()
        loss(network(image), target).backward()
        optimizer.step()
        if scheduled:
            schedule.step()
    with torch.inference_mode():
        answer: dict[str, torch.Tensor] = network.eval()(image)
    return answer
