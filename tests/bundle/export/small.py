"""A tiny two-task network, labelled images and what judges an export of it."""

from __future__ import annotations

import torch
from monai.transforms import Activationsd, Compose
from torch import Tensor, nn

from monai_mtl.metrics import ROCAUC, Accuracy, LesionDice
from monai_mtl.networks import HDSUResNet
from monai_mtl.transforms import ForegroundProbabilityd, MaskFromProbabilityd, UnpackTasksd

POST = Compose(
    [
        UnpackTasksd(["pred", "label"]),
        ForegroundProbabilityd("seg", "probability"),
        MaskFromProbabilityd("probability", "pred"),
        Activationsd("cls", softmax=True),
    ]
)
METRICS = {"val_seg_dice": LesionDice("seg"), "val_cls_accuracy": Accuracy("cls"), "val_cls_auc": ROCAUC("cls")}


class Brightness(nn.Module):
    """Finds bright pixels; ``shift`` and ``scale`` spoil its logits."""

    def __init__(self, shift: float = 0.0, scale: float = 1.0) -> None:
        super().__init__()
        self.shift, self.scale = shift, scale

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Image ``(B, 1, H, W)`` to ``seg`` and ``cls``."""
        odds = self.scale * (10 * image - 5) + self.shift
        seg = torch.cat([-odds / 2, odds / 2], dim=1)
        return {"seg": seg, "cls": seg.amax((2, 3))}


def cases(count: int = 60, lesions: bool = True) -> list[dict]:
    """Images of 16 x 16 of which every second one holds a bright square."""
    random = torch.Generator().manual_seed(0)
    made = []
    for i in range(count):
        image, mask = torch.rand(1, 16, 16, generator=random) * 0.6, torch.zeros(1, 16, 16, dtype=torch.uint8)
        if lesions and i % 2:
            mask[:, 4:9, 6:12] = 1
            image = image + 0.35 * mask
        label = {"label_cls": i % 2 if lesions else 0, "has_cls": True, "has_seg": True}
        made.append({"image": image, "label_seg": mask, "case_id": f"case{i}", **label})
    return made


def hds() -> HDSUResNet:
    """A small HDS network whose statistics have moved, in eval mode."""
    torch.manual_seed(0)
    net = HDSUResNet(widths=(4, 8, 8, 8, 8), bottom_width=8, cls_max_width=8)
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(2, 1, 256, 128))
    return net.eval()
