"""A training of a second with everything that chance touches: order, transforms, dropout, batch norm."""

from __future__ import annotations

from pathlib import Path

import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import LrScheduleHandler, ValidationHandler
from monai.transforms import Compose, Lambdad, RandFlipd, RandGaussianNoised
from torch import Tensor, nn

from monai_mtl.data import CaseDataset
from monai_mtl.engines import PrepareMultiTaskBatch
from monai_mtl.handlers import FiniteGradients, Reseed, SaveBest, SaveLast, TrainingLog
from monai_mtl.metrics import Accuracy, nan_is_worst
from monai_mtl.transforms import UnpackTasksd

EPOCHS = 4


class SmallNet(nn.Module):
    """Convolution, batch norm, dropout and two logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.3))
        self.head = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Image ``(B, 1, H, W)`` to logits ``(B, 2)``."""
        return {"cls": self.head(self.body(image).mean((2, 3)))}


class SmallLoss:
    """Cross entropy with the names that logs read."""

    def __init__(self) -> None:
        self.weights = {"cls": 1.0}
        self.task_losses: dict[str, Tensor] = {}

    def __call__(self, prediction: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Loss of a batch."""
        value = nn.functional.cross_entropy(prediction["cls"], target["cls"].long())
        self.task_losses = {"cls": value.detach()}
        return value


def cases(count: int = 10, seed: int = 0) -> list[dict]:
    """Random images; every second one is brighter."""
    random = torch.Generator().manual_seed(seed)
    images = [torch.randn(1, 12, 12, generator=random) + i % 2 for i in range(count)]
    return [
        {"image": image, "label_cls": i % 2, "has_cls": True, "case_id": f"case{i}"} for i, image in enumerate(images)
    ]


def small_training(folder: Path, workers: int = 0, resume: bool = False, seed: int = 0, **options) -> SupervisedTrainer:
    """A trainer with the handlers of a bundle; files go to ``folder``."""
    torch.manual_seed(seed)
    network = SmallNet()
    random = [RandFlipd("image", prob=0.5, spatial_axis=0), RandGaussianNoised("image", prob=0.8)]
    dataset = CaseDataset(cases(), Compose([Lambdad("image", torch.clone), *random]), seed=seed)
    loader = DataLoader(dataset, batch_size=4, shuffle=True, num_workers=workers)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    prepare, loss = PrepareMultiTaskBatch(["cls"]), SmallLoss()
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(CaseDataset(cases(6, 1), Compose([])), batch_size=3),
        network=network,
        prepare_batch=prepare,
        postprocessing=UnpackTasksd(["pred", "label"]),
        key_val_metric={"val_cls_accuracy": Accuracy("cls")},
        metric_cmp_fn=nan_is_worst,
        val_handlers=[SaveBest(folder / "model.pt", network)],
    )
    handlers = [
        Reseed(seed, dataset),
        FiniteGradients(network),
        LrScheduleHandler(schedule, print_lr=False),
        ValidationHandler(interval=1, validator=evaluator),
        SaveLast(
            folder / "model_last.pt",
            {"model": network, "optimizer": optimizer, "lr_scheduler": schedule},
            evaluator=evaluator,
            identity={"seed": seed, **options},
            resume=resume,
        ),
        TrainingLog(folder, loss, optimizer, evaluator),
    ]
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=EPOCHS,
        train_data_loader=loader,
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        prepare_batch=prepare,
        decollate=False,
        train_handlers=handlers,
    )
