"""Non-maximum suppression of a batch without a loop over boxes.

Going from the best box to the worst, a box is kept if no kept one overlaps it by more than the threshold. Here a block
of boxes is judged at once: first against those kept before it, then among itself, by repeating "kept is what no kept
one overlaps" until nothing changes. Its first box is settled at once, and each pass settles at least one more, so
the end is the greedy answer; a few passes do in practice.

Shapes: B batch, N boxes, L the most to keep.
"""

from typing import Any

import torch
from torch import Tensor

from .boxes import box_iou

__all__ = ["keep_best_boxes", "nms"]


def _float32_at_most(value: float) -> Tensor:
    """The largest float32 that is not above a number: what is greater than either is the same."""
    exact = torch.tensor(value, dtype=torch.float64)
    rounded = exact.to(torch.float32)
    return torch.where(rounded.to(torch.float64) > exact, torch.nextafter(rounded, rounded - 1), rounded)


def keep_best_boxes(
    boxes: Tensor, valid: Tensor, threshold: float, most: int, block_size: int = 512
) -> tuple[Tensor, Tensor]:
    """Suppression of each image's boxes, which come best first.

    Args:
        boxes: ``(B, N, 4)``, float32, best first.
        valid: ``(B, N)``, false for boxes that do not exist.
        threshold: Intersection over union above which the worse of two boxes goes.
        most: How many to keep, L.
        block_size: Boxes judged at once.

    Returns:
        Indices ``(B, L)`` into N, best first, and ``(B, L)``, true where there is one; elsewhere the index is 0.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102  (scripting compiles a joint condition as a whole)
        if torch.onnx.is_in_onnx_export():
            return _traced_keep_best_boxes(boxes, valid, threshold, most)
    return _keep_best_boxes(boxes, valid, threshold, most, block_size)


def _keep_best_boxes(
    boxes: Tensor, valid: Tensor, threshold: float, most: int, block_size: int = 512
) -> tuple[Tensor, Tensor]:
    batch, number = valid.shape[0], valid.shape[1]
    limit = _float32_at_most(threshold).to(boxes.device)
    # One place more than asked for takes what is too much. An empty box overlaps nothing.
    kept = torch.zeros(batch, most + 1, dtype=torch.int64, device=boxes.device)
    kept_boxes = torch.zeros(batch, most + 1, 4, dtype=boxes.dtype, device=boxes.device)
    count = torch.zeros(batch, 1, dtype=torch.int64, device=boxes.device)
    for start in range(0, number, block_size):
        filled = int(count.max())
        block = boxes[:, start : start + block_size]
        free = valid[:, start : start + block_size]
        if filled > 0:
            free = free & ~(box_iou(block, kept_boxes[:, : min(filled, most)]) > limit).any(dim=2)
        worse_than = (box_iou(block, block) > limit).tril(-1)
        keep, changed = free, True
        while changed:
            again = free & ~(worse_than & keep.unsqueeze(1)).any(dim=2)
            changed = not torch.equal(again, keep)
            keep = again
        place = torch.where(keep, count + keep.cumsum(dim=1) - 1, most).clamp(max=most)
        index = torch.arange(start, start + block.shape[1], device=boxes.device).expand(batch, -1)
        kept.scatter_(1, place, index)
        kept_boxes.scatter_(1, place.unsqueeze(2).expand(-1, -1, 4), block)
        count = count + keep.sum(dim=1, keepdim=True)
        if bool((count >= most).all()):
            break
    exists = torch.arange(most, device=boxes.device) < count
    return kept[:, :most] * exists, exists


class _TracedNode(torch.autograd.Function):
    """The node ``NonMaxSuppression`` in what the tracing exporter writes: which boxes are kept, ``(B, N)``, 1 or 0."""

    @staticmethod
    def forward(_ctx: Any, _boxes: Tensor, _scores: Tensor, zeros: Tensor, _threshold: float, _most: int) -> Tensor:
        """All of them, ``(B, N)`` as ``zeros``: the tracer goes on with the shape and forgets the values."""
        return torch.ones_like(zeros)

    @staticmethod
    def symbolic(graph: Any, boxes: Any, scores: Any, zeros: Any, threshold: float, most: int) -> Any:
        """The node's answer is a list of image, class and box; the rest makes a table of it."""

        def constant(value: Any) -> Any:
            """A node that holds a number or a list of them."""
            return graph.op("Constant", value_t=torch.tensor(value))

        least = constant([0.5])  # a box that does not exist has a score of 0
        found = graph.op("NonMaxSuppression", boxes, scores, constant([most]), constant([threshold]), least)
        place = graph.op("Gather", found, constant([0, 2]), axis_i=1)
        nought = graph.op("Mul", graph.op("Gather", found, constant(1), axis_i=1), constant(0))
        ones = graph.op("Cast", graph.op("Add", nought, constant(1)), to_i=torch.onnx.TensorProtoDataType.FLOAT)
        return graph.op("ScatterND", zeros, place, ones).setType(zeros.type())


def _traced_keep_best_boxes(boxes: Tensor, valid: Tensor, threshold: float, most: int) -> tuple[Tensor, Tensor]:
    best_first = torch.arange(valid.shape[1], 0, -1, device=boxes.device).to(boxes.dtype)
    scores = best_first * valid
    kept = _TracedNode.apply(boxes, scores.unsqueeze(1), torch.zeros_like(scores), threshold, most)
    value, index = torch.topk(kept * best_first, most, dim=1)
    return index * (value > 0), value > 0


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Suppression of one image's boxes, as torchvision's ``nms``: of equal scores, the first box comes first.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        threshold: Intersection over union above which the worse of two boxes goes.

    Returns:
        Indices of what is kept, best first.

    Example:
        >>> nms(torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]]), torch.tensor([0.5, 0.9, 0.3]), 0.5)
        tensor([1, 2])
    """
    order = torch.argsort(scores, descending=True, stable=True)
    valid = torch.ones_like(order, dtype=torch.bool)
    index, exists = keep_best_boxes(boxes[order].float()[None], valid[None], threshold, len(order))
    return order[index[0][exists[0]]]
