"""What is read from the features of a box: its class, a better box, and a mask.

He et al. 2017, Mask R-CNN, https://arxiv.org/abs/1703.06870.

Shapes: B batch, N boxes of an image, C channels, K classes without the background.
"""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BoxHead", "mask_head"]


class BoxHead(nn.Module):
    """Two linear layers, then class logits and, for each class, a coded box.

    Args:
        channels: Of the features, C.
        hidden: Width of the two layers.
        classes: Classes with the background, 1 + K.
    """

    def __init__(self, channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(channels * 49, hidden), nn.Linear(hidden, hidden)
        self.cls_score, self.bbox_pred = nn.Linear(hidden, classes), nn.Linear(hidden, 4 * classes)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``(B * N, C, 7, 7)`` to logits ``(B * N, 1 + K)`` and coded boxes ``(B * N, 1 + K, 4)``."""
        hidden = F.relu(self.fc7(F.relu(self.fc6(features.flatten(1)))))
        logits = self.cls_score(hidden)
        return logits, self.bbox_pred(hidden).view(-1, logits.shape[1], 4)


def mask_head(channels: int, classes: int, norm: bool) -> nn.Sequential:
    """Four convolutions, enlargement to twice the bins, a logit for each class.

    Args:
        channels: Of the features, C.
        classes: Classes with the background, 1 + K.
        norm: Whether batch normalisation follows each of the four.
    """
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)]
        layers += [nn.BatchNorm2d(channels)] if norm else []
        layers += [nn.ReLU(inplace=True)]
    answer = nn.Conv2d(channels, classes, 1)
    layers += [nn.ConvTranspose2d(channels, channels, 2, 2), nn.ReLU(inplace=True), answer]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    nn.init.normal_(answer.weight, std=0.001)  # every mask begins undecided
    return nn.Sequential(*layers)
