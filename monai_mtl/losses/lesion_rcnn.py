"""Loss of the skin-lesion R-CNN: two focal terms, two smooth L1 terms, and cross entropy with a Jaccard distance.

Song et al. 2020, IEEE JBHI 24(10), 2912-2921. What the paper leaves open is said at each argument.

Shapes: B batch, S boxes drawn of an image, n boxes on a lesion, K lesion classes, M rows and columns of a mask.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers.box_targets import IGNORED, OBJECT, UNJUDGED, UNKNOWN_OBJECT
from .focal import focal_cost
from .jaccard import jaccard_distance
from .multitask import in_several_processes, keep_in_graph

__all__ = ["LesionRCNNLoss"]

TERMS = ("rpn_class", "rpn_box", "class", "box", "mask", "cls_image")


class LesionRCNNLoss(nn.Module):
    r"""Sum of what a :class:`monai_mtl.networks.LesionRCNN` learns of an image, a mean over the annotated images.

    .. math::
        L = \frac{1}{N} \sum_i \mathrm{FL}(p_i) + \frac{\rho}{N} \sum_{i \in +} \mathrm{L1}^s_i
            + L_\mathrm{class} + L_\mathrm{box} + L_\mathrm{mask}

    Each image counts the same, however many of its boxes are on the lesion, so a batch of images annotated alike may
    be cut, or shared among processes. The first two sums are over the N anchors drawn of an image.
    :math:`L_\mathrm{class}` is the mean focal cost of its boxes; a box on a lesion of unknown class costs by the sum
    of all lesion classes, and an image without a mask by the class of the box most like a lesion, background left out.
    :math:`L_\mathrm{box}` is smooth L1 and :math:`L_\mathrm{mask}` binary cross entropy plus Jaccard distance, means
    over the boxes on the lesion, both in the class's own outputs, or in all alike where the class is unknown; both are
    0 for a mask without a lesion. Terms without an annotation are 0 and give no gradient.

    Args:
        focal_rpn: Whether the anchors' classes have a focal cost; else cross entropy.
        focal_head: Whether the boxes' classes have; the paper lists it for the anchors and gives a reason that is
            the boxes'.
        alpha: Weight of foreground in a focal cost.
        gamma: Its exponent.
        rho: Weight of the anchors' boxes. The paper's 10, with the same N as for their classes.
        jaccard: Whether the mask has a Jaccard distance beside the cross entropy.
        jaccard_delta: Its constant, pixels of the box's mask.
        weights: Weight by term: ``rpn_class``, ``rpn_box``, ``class``, ``box``, ``mask``, and ``cls_image``
            for an image head; what is left out has 1.

    Raises:
        ValueError: If a term is unknown or a number is out of its range.
    """

    def __init__(
        self,
        focal_rpn: bool = True,
        focal_head: bool = True,
        alpha: float = 0.25,
        gamma: float = 2.0,
        rho: float = 10.0,
        jaccard: bool = True,
        jaccard_delta: float = 100.0,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        weights = dict(weights or {})
        if not set(weights) <= set(TERMS) or min(weights.values(), default=0) < 0:
            raise ValueError(f"weights >= 0 of {TERMS} are expected, got {weights}")
        if not 0 <= alpha <= 1 or gamma < 0 or rho < 0 or jaccard_delta <= 0:
            raise ValueError("alpha in [0, 1], gamma, rho >= 0 and jaccard_delta > 0 are expected")
        self.focal_rpn, self.focal_head, self.alpha, self.gamma = focal_rpn, focal_head, alpha, gamma
        self.rho, self.jaccard, self.jaccard_delta = rho, jaccard, jaccard_delta
        self.weights = {name: float(weights.get(name, 1.0)) for name in TERMS}
        self.task_losses: dict[str, Tensor] = {}
        """Last value of each term, before its weight, without gradient; only annotated terms."""

    def forward(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Total loss of a batch.

        Args:
            prediction: As :meth:`monai_mtl.networks.LesionRCNN.training_outputs` describes it.
            target: ``cls`` ``(B,)``, class of the lesion from 0, and ``has_seg`` and ``has_cls`` ``(B,)``.

        Returns:
            A scalar.
        """
        terms = {**self._anchors(prediction), **self._classes(prediction, target), **self._lesions(prediction, target)}
        if "cls_image" in prediction:
            has = target["has_cls"].to(prediction["cls_image"].device, torch.bool)
            if bool(has.any()):
                terms["cls_image"] = F.cross_entropy(prediction["cls_image"][has], target["cls"][has].long())
        self.task_losses = {name: value.detach() for name, value in terms.items()}
        # A term of weight 0 is told and gives no gradient at all.
        counted = [self.weights[name] * value for name, value in terms.items() if self.weights[name] > 0]
        total = torch.stack(counted).sum() if counted else torch.zeros((), device=target["cls"].device)
        outputs = [value for value in prediction.values() if value.requires_grad]
        return keep_in_graph(total, outputs) if in_several_processes() or not counted else total

    def _cost(self, log_p: Tensor, foreground: Tensor, focal: bool) -> Tensor:
        return focal_cost(log_p, foreground, self.alpha, self.gamma) if focal else -log_p

    def _anchors(self, prediction: Mapping[str, Tensor]) -> dict[str, Tensor]:
        labels, logits = prediction["rpn_labels"], prediction["rpn_logits"]
        drawn, foreground = labels != IGNORED, labels == OBJECT
        count, images = drawn.sum(dim=1).clamp(min=1), drawn.any(dim=1)
        if not bool(images.any()):
            return {}
        log_p = F.logsigmoid(torch.where(foreground, logits, -logits))
        cost = self._cost(log_p, foreground, self.focal_rpn) * drawn
        terms = {"rpn_class": (cost.sum(dim=1) / count)[images].mean()}
        if len(prediction["rpn_deltas"]):
            goal = prediction["rpn_delta_targets"]
            distance = F.smooth_l1_loss(prediction["rpn_deltas"], goal, reduction="none").sum(dim=1)
            terms["rpn_box"] = self.rho * (_sums(distance, foreground) / count)[images].mean()
        return terms

    def _classes(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        labels, log_p = prediction["roi_labels"], prediction["roi_logits"].log_softmax(dim=2)
        some_lesion = log_p[..., 1:].logsumexp(dim=2)
        judged = (labels >= 0) | (labels == UNKNOWN_OBJECT)
        right = log_p.gather(2, labels.clamp(min=0).unsqueeze(2))[..., 0]
        right = torch.where(labels == UNKNOWN_OBJECT, some_lesion, right)
        cost = self._cost(right, labels != 0, self.focal_head) * judged
        images = judged.any(dim=1)
        per_image = [(cost.sum(dim=1) / judged.sum(dim=1).clamp(min=1))[images]]

        alone = (labels == UNJUDGED).any(dim=1) & target["has_cls"].to(labels.device, torch.bool)
        if bool(alone.any()):
            likely = some_lesion.detach().masked_fill(labels != UNJUDGED, -torch.inf).argmax(dim=1)
            logits = prediction["roi_logits"][alone, likely[alone], 1:].log_softmax(dim=1)
            log_p = logits.gather(1, target["cls"][alone].long().unsqueeze(1))[:, 0]
            per_image.append(self._cost(log_p, torch.ones_like(log_p, dtype=torch.bool), self.focal_head))
        costs = torch.cat(per_image)
        return {"class": costs.mean()} if len(costs) else {}

    def _lesions(self, prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        labels, deltas, drawn = prediction["lesion_labels"], prediction["box_deltas"], prediction["roi_labels"]
        if len(labels) == 0:
            return {}
        known = F.one_hot((labels - 1).clamp(min=0), deltas.shape[1]).to(deltas.dtype)
        share = torch.where((labels == UNKNOWN_OBJECT).unsqueeze(1), 1 / deltas.shape[1], known)
        goal = prediction["box_delta_targets"].unsqueeze(1).expand_as(deltas)
        box = F.smooth_l1_loss(deltas, goal, reduction="none").mean(dim=2)
        logits = prediction["mask_logits"]
        truth = prediction["mask_targets"].to(logits.dtype).unsqueeze(1).expand_as(logits)
        mask = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=(2, 3))
        if self.jaccard:
            mask = mask + jaccard_distance(logits.sigmoid(), truth, self.jaccard_delta)
        on = (drawn > 0) | (drawn == UNKNOWN_OBJECT)
        count, images = on.sum(dim=1).clamp(min=1), target["has_seg"].to(on.device, torch.bool)
        costs = {"box": (share * box).sum(dim=1), "mask": (share * mask).sum(dim=1)}
        return {name: (_sums(cost, on) / count)[images].mean() for name, cost in costs.items()}


def _sums(cost: Tensor, on: Tensor) -> Tensor:
    """Sum ``(B,)`` for each image of the costs ``(n,)`` of its boxes, those marked in ``(B, S)``, in order."""
    return cost.new_zeros(on.shape).masked_scatter(on, cost).sum(dim=1)
