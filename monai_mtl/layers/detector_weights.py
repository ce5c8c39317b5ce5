"""Weights of torchvision's Mask R-CNN, such as those trained on COCO, under the names of :class:`LesionRCNN`."""

import re
from collections.abc import Mapping

from torch import Tensor

from ..errors import DataError

__all__ = ["convert_detector_weights"]

_NAMES = (
    (r"^backbone\.body\.", "encoder."),
    (r"^backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(?:0\.)?", r"fpn.\1_blocks.\2."),
    (r"^rpn\.head\.conv\.(?:0\.0\.)?", "rpn.conv."),
    (r"^rpn\.head\.", "rpn."),
    (r"^roi_heads\.box_(?:head|predictor)\.", "box_head."),
    (r"^roi_heads\.mask_predictor\.conv5_mask\.", "mask_head.8."),
    (r"^roi_heads\.mask_predictor\.mask_fcn_logits\.", "mask_head.10."),
)
"""Newer and older names; what is in none of them has no place here."""


def convert_detector_weights(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor], rpn_scale: Tensor
) -> dict[str, Tensor]:
    """Rename, and keep what fits.

    The answers for classes are left as they are where their number is another, COCO's 91 for instance. What moves
    anchors is scaled: torchvision codes their boxes without factors.

    Args:
        weights: By torchvision's names.
        own: The network's own weights by name.
        rpn_scale: Factors of the network's coded anchors ``(4,)``.

    Returns:
        All of the network's weights by name.

    Raises:
        DataError: If the file lacks weights other than those answers, or their shapes differ.
    """
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        new = re.sub(
            r"^roi_heads\.mask_head\.(?:mask_fcn(\d)|(\d)\.0)\.",
            lambda m: f"mask_head.{2 * (int(m[1]) - 1 if m[1] else int(m[2]))}.",
            name,
        )
        for pattern, replacement in _NAMES:
            new = re.sub(pattern, replacement, new)
        if new.startswith("rpn.bbox_pred."):
            factors = rpn_scale.repeat(len(value) // 4).view(-1, *[1] * (value.ndim - 1))
            value = value * factors.to(value)
        found[new] = value
    answers = ("box_head.cls_score.", "box_head.bbox_pred.", "mask_head.10.")
    result, wrong = {}, []
    for name, value in own.items():
        given = found.get(name)
        counter = name.endswith("num_batches_tracked")
        if given is not None and given.shape == value.shape:
            result[name] = given
        elif counter or (given is not None and name.startswith(answers)):
            result[name] = value
        else:
            wrong.append(f"{name}: {'missing' if given is None else tuple(given.shape)}, here {tuple(value.shape)}")
    if wrong:
        fix = "give weights of a Mask R-CNN with the same ResNet, pyramid and anchors"
        raise DataError("these are not the weights of such a detector", wrong, fix=fix)
    return result
