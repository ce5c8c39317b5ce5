"""Boxes, suppression and ROI align: against torchvision's stored numbers, MONAI and the definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.apps.detection.utils.box_coder import BoxCoder
from monai.data import box_utils

from monai_mtl.layers import boxes as box_layers
from monai_mtl.layers.nms import keep_best_boxes, nms
from monai_mtl.layers.roi_align import pyramid_level, pyramid_roi_align, roi_align

from .random_boxes import CASES, RoiCase, nms_case, roi_case

STORED = np.load(Path(__file__).parents[1] / "data" / "torchvision_boxes.npz")


def run(case: RoiCase) -> torch.Tensor:
    features, boxes = torch.from_numpy(case.features), torch.from_numpy(case.boxes)
    return roi_align(features, boxes, case.size, case.scale, case.sampling, case.aligned)


def sample(plane: np.ndarray, y: float, x: float) -> float:
    """Value between positions; the border counts up to one position outside."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
    return float(upper * (1 - dy) + (plane[bottom, left] * (1 - dx) + plane[bottom, right] * dx) * dy)


def by_definition(case: RoiCase) -> np.ndarray:
    """ROI align, a sample at a time."""
    rows, columns = case.size
    result = np.zeros((len(case.boxes), case.features.shape[1], rows, columns))
    for r, (image, *box) in enumerate(case.boxes.astype(np.float64)):
        x0, y0, x1, y1 = (value * case.scale - 0.5 * case.aligned for value in box)
        height, width = y1 - y0, x1 - x0
        if not case.aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        for c, p, q in np.ndindex(result.shape[1:]):
            samples = [
                sample(
                    case.features[int(image), c],
                    y0 + (p + (i + 0.5) / case.sampling) * height / rows,
                    x0 + (q + (j + 0.5) / case.sampling) * width / columns,
                )
                for i, j in np.ndindex(case.sampling, case.sampling)
            ]
            result[r, c, p, q] = np.mean(samples)
    return result


def test_roi_align_equals_torchvisions_numbers():
    start = 0
    for seed in range(CASES):
        found = run(roi_case(seed))
        expected = STORED["roi_align"][start : start + found.numel()]
        start += found.numel()
        np.testing.assert_allclose(found.flatten(), expected, rtol=0, atol=1e-5, err_msg=f"case {seed}")
    assert start == len(STORED["roi_align"])


@pytest.mark.parametrize("seed", range(60))
def test_roi_align_is_what_its_definition_says(seed):
    case = roi_case(seed)
    np.testing.assert_allclose(run(case), by_definition(case), rtol=0, atol=1e-5)


@pytest.mark.parametrize("aligned", [True, False])
def test_the_gradient_of_roi_align_is_that_of_its_values(aligned):
    features = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0, 1.2, 0.3, 4.9, 3.1], [1, -2, -1, 3, 9], [0, 2, 2, 2, 2]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, boxes, (2, 3), 1.0, 2, aligned), features)


def test_a_pyramid_is_read_level_by_level_as_torchvision_does():
    pyramid = [torch.randn(2, 3, 256 // stride, 320 // stride) for stride in (4, 8, 16, 32)]
    corner, side = torch.rand(2, 50, 2) * 200, 2 ** (3 + torch.rand(2, 50, 2) * 7)
    boxes = torch.cat([corner, corner + side], dim=2)
    level = pyramid_level(boxes, 4)
    assert set(level.flatten().tolist()) == {0, 1, 2, 3}
    for aligned in (True, False):
        image = torch.arange(2).repeat_interleave(50)
        found = pyramid_roi_align(pyramid, boxes.view(-1, 4), image, 4, 2, aligned).view(2, 50, 3, 4, 4)
        for i, j in np.ndindex(2, 50):
            k = int(level[i, j])
            one = torch.cat([torch.tensor([float(i)]), boxes[i, j]])[None]
            expected = roi_align(pyramid[k], one, (4, 4), 1 / (4 << k), 2, aligned)[0]
            torch.testing.assert_close(found[i, j], expected, rtol=1e-5, atol=1e-6)


def test_a_box_goes_up_a_level_when_its_side_doubles():
    side = torch.tensor([1.0, 111, 112, 223, 224, 447, 448, 5000])
    boxes = torch.stack([side * 0, side * 0, side, side], dim=1)
    assert pyramid_level(boxes, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("wrong", [{"output_size": (0, 2)}, {"output_size": (2, 2), "sampling_ratio": 0}])
def test_no_bins_and_no_samples_are_refused(wrong):
    with pytest.raises(ValueError, match="expects bins and samples"):
        roi_align(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), **wrong)


def test_suppression_keeps_what_torchvision_keeps():
    start = 0
    for seed, count in enumerate(STORED["keep_count"].tolist()):
        case = nms_case(seed)
        found = nms(torch.from_numpy(case.boxes), torch.from_numpy(case.scores), case.threshold)
        assert found.tolist() == STORED["keep"][start : start + count].tolist(), seed
        start += count
    assert len(STORED["keep_count"]) == CASES


def crowd(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    corner = torch.rand(number, 2) * 60
    return torch.cat([corner, corner + 5 + torch.rand(number, 2) * 20], dim=1), torch.rand(number)


def test_suppression_over_several_blocks_equals_monais_and_stops_at_the_most():
    torch.manual_seed(0)
    boxes, scores = crowd(1500)
    expected = box_utils.non_max_suppression(boxes, scores, 0.6)
    assert nms(boxes, scores, 0.6).tolist() == expected.tolist()
    order = scores.argsort(descending=True)
    index, exists = keep_best_boxes(boxes[order][None], torch.ones(1, 1500, dtype=torch.bool), 0.6, 20)
    assert bool(exists.all())
    assert order[index[0]].tolist() == expected[:20].tolist()


def test_a_chain_in_which_each_box_hides_the_next_keeps_every_other_one():
    x = torch.arange(600.0)
    boxes = torch.stack([x, 0 * x, x + 2, 0 * x + 1], dim=1)
    assert nms(boxes, -x, 0.3).tolist() == list(range(0, 600, 2))


def test_the_images_of_a_batch_and_boxes_that_do_not_exist_are_apart():
    torch.manual_seed(1)
    boxes = torch.stack([crowd(700)[0] for _ in range(3)])
    valid = torch.rand(3, 700) < 0.5
    valid[2] = False
    index, exists = keep_best_boxes(boxes, valid, 0.5, 700)
    for i in range(3):
        there = valid[i].nonzero()[:, 0]
        expected = there[nms(boxes[i][there], -torch.arange(len(there)).float(), 0.5)]
        assert index[i][exists[i]].tolist() == expected.tolist()
    assert not exists[2].any()
    assert not index[2].any()


def test_overlap_and_coding_are_monais():
    a, b = crowd(30)[0], crowd(20)[0]
    torch.testing.assert_close(box_layers.box_iou(a, b), box_utils.box_iou(a, b))
    weights = (10.0, 10.0, 5.0, 5.0)
    coder, scale = BoxCoder(weights), torch.tensor(weights)
    codes = box_layers.encode_boxes(a[:20], b, scale)
    torch.testing.assert_close(codes, coder.encode_single(a[:20], b))
    torch.testing.assert_close(box_layers.decode_boxes(codes, b, scale), a[:20])
    wild = torch.randn(20, 4) * 30
    torch.testing.assert_close(box_layers.decode_boxes(wild, b, scale), coder.decode_single(wild, b))


def test_boxes_are_cut_at_the_border_of_the_image():
    boxes = torch.tensor([[-3.0, 2, 9, 50], [8, 8, 9, 9]])
    assert box_layers.clip_boxes(boxes, 20, 7).tolist() == [[0, 2, 7, 20], [7, 8, 7, 9]]


def test_the_box_of_a_mask_holds_all_of_it_and_no_more():
    mask = torch.zeros(3, 1, 6, 9, dtype=torch.uint8)
    mask[0, 0, 2, 3] = mask[0, 0, 4, 7] = 1
    mask[1] = 2
    boxes, some = box_layers.mask_boxes(mask)
    assert boxes.tolist() == [[3, 2, 8, 5], [0, 0, 9, 6], [0, 0, 0, 0]]
    assert some.tolist() == [True, True, False]


@pytest.mark.parametrize("function", [nms, roi_align, pyramid_roi_align])
def test_the_operators_can_be_scripted(function):
    scripted = torch.jit.script(function)
    if function is nms:
        boxes, scores = crowd(900)
        assert torch.equal(scripted(boxes, scores, 0.4), nms(boxes, scores, 0.4))
    elif function is roi_align:
        x, boxes = torch.randn(1, 2, 8, 8), torch.tensor([[0, 1.0, 1, 6, 7]])
        torch.testing.assert_close(scripted(x, boxes, (2, 3)), roi_align(x, boxes, (2, 3)))
    else:
        maps, boxes = [torch.randn(2, 2, 16, 16), torch.randn(2, 2, 8, 8)], crowd(10)[0]
        arguments = (maps, boxes, torch.arange(10) % 2, 3)
        torch.testing.assert_close(scripted(*arguments), pyramid_roi_align(*arguments))
