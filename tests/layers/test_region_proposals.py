"""Anchors, proposals, what they learn, and pasted masks: against MONAI's utilities and by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from monai.apps.detection.utils.anchor_utils import AnchorGenerator
from monai.apps.detection.utils.box_coder import BoxCoder
from monai.data.box_utils import clip_boxes_to_image, non_max_suppression

from monai_mtl.layers import RegionProposals, assign_boxes, draw_boxes, paste_masks
from monai_mtl.layers.box_targets import BACKGROUND, IGNORED, OBJECT

SIZES, RATIOS, STRIDES = (8, 16, 40), (0.5, 1.0, 2.0), (4, 8, 16)


def maps(batch: int = 2, channels: int = 6) -> list[torch.Tensor]:
    return [torch.randn(batch, channels, 64 // stride, 96 // stride) for stride in STRIDES]


def test_anchors_are_monais_and_with_corners_half_a_stride_before():
    pyramid = maps()
    monai = AnchorGenerator([(size,) for size in SIZES], (RATIOS,) * 3, indexing="xy")
    expected = monai(torch.zeros(2, 3, 64, 96), pyramid)[0]
    rpn = RegionProposals(6, SIZES, RATIOS, STRIDES)
    assert torch.equal(rpn.anchors(pyramid), expected)
    corners = RegionProposals(6, SIZES, RATIOS, STRIDES, half_pixel=False).anchors(pyramid)
    shift = torch.cat(
        [torch.full((3 * f.shape[2] * f.shape[3],), s / 2) for f, s in zip(pyramid, STRIDES, strict=True)]
    )
    torch.testing.assert_close(corners + shift[:, None], rpn.anchors(pyramid))


def test_logits_deltas_and_anchors_are_of_the_same_place():
    rpn, pyramid = RegionProposals(6, SIZES, RATIOS, STRIDES), maps()
    logits, deltas, anchors = rpn(pyramid)
    assert logits.shape == (2, len(anchors))
    assert deltas.shape == (2, len(anchors), 4)
    # The second ratio at row 3, column 5 of the second map.
    place = 3 * 16 * 24 + 3 * (3 * 12 + 5) + 1
    hidden = F.relu(rpn.conv(pyramid[1]))
    torch.testing.assert_close(logits[:, place], rpn.cls_logits(hidden)[:, 1, 3, 5])
    torch.testing.assert_close(deltas[:, place], rpn.bbox_pred(hidden)[:, 4:8, 3, 5])
    assert anchors[place].tolist() == [5 * 8 + 4 - 8, 3 * 8 + 4 - 8, 5 * 8 + 4 + 8, 3 * 8 + 4 + 8]


def test_proposals_are_what_monais_coder_and_suppression_make_of_the_best_anchors():
    rpn, pyramid = RegionProposals(6, SIZES, RATIOS, STRIDES), maps()
    anchors = rpn.anchors(pyramid)
    logits, deltas = torch.randn(2, len(anchors)), torch.randn(2, len(anchors), 4)
    boxes, exists = rpn.propose(logits, deltas, anchors, (64, 96), 500, 60, 0.4)
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    for i in range(2):
        best = logits[i].topk(500)[1]
        moved, _ = clip_boxes_to_image(
            coder.decode_single(deltas[i, best], anchors[best]), (96, 64), remove_empty=False
        )
        keep = non_max_suppression(moved, logits[i, best], 0.4)[:60]
        assert int(exists[i].sum()) == len(keep)
        torch.testing.assert_close(boxes[i, : len(keep)], moved[keep])
    none, exists = rpn.propose(logits, deltas, anchors, (64, 96), 5, 60, 0.4)
    assert none.shape == (2, 60, 4)
    assert int(exists.sum()) <= 10
    assert not none[~exists].any()


def test_a_map_without_a_size_is_refused():
    with pytest.raises(ValueError, match="a size for each of 3 maps"):
        RegionProposals(6, (8, 16), RATIOS, STRIDES)


def test_boxes_are_labelled_by_their_overlap():
    true = torch.tensor([[[0.0, 0, 10, 10], [20, 20, 30, 30]], [[0, 0, 10, 10], [0, 0, 0, 0]]])
    exists = torch.tensor([[True, True], [True, False]])
    boxes = torch.tensor(
        [[0.0, 0, 10, 9], [0, 0, 10, 5], [0, 0, 10, 2], [22, 20, 26, 30], [50, 50, 60, 60], [0, 0, 0, 0]]
    )
    label, which = assign_boxes(boxes, true, exists, 0.7, 0.3)
    assert label.tolist() == [[OBJECT, IGNORED, 0, IGNORED, 0, 0], [OBJECT, IGNORED, 0, 0, 0, 0]]
    assert which[0, :4].tolist() == [0, 0, 0, 1]
    label, which = assign_boxes(boxes, true, exists, 0.7, 0.3, best_counts=True)
    assert label[:, 3].tolist() == [OBJECT, BACKGROUND]
    assert which[0].tolist()[3] == 1
    nothing, _ = assign_boxes(boxes, true, torch.zeros(2, 2, dtype=torch.bool), 0.7, 0.3, best_counts=True)
    assert not nothing.any()


def test_a_true_box_without_a_good_one_gets_its_best_though_that_is_nearer_to_another():
    true = torch.tensor([[[0.0, 0, 10, 10], [8, 0, 100, 10]]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 12, 10]])
    label, which = assign_boxes(boxes, true, torch.ones(1, 2, dtype=torch.bool), 0.9, 0.3, best_counts=True)
    assert label.tolist() == [[OBJECT, OBJECT]]
    assert which.tolist() == [[0, 1]]


def test_objects_are_drawn_first_up_to_their_share_and_nothing_ignored():
    label = torch.full((3, 1000), BACKGROUND)
    label[0, :300] = OBJECT
    label[1, 10:20] = OBJECT
    label[:, 500:900] = IGNORED
    label[2] = IGNORED
    label[2, 3] = BACKGROUND
    index, drawn = draw_boxes(label, torch.rand(3, 1000), 60, 20)
    assert (drawn == OBJECT).sum(1).tolist() == [20, 10, 0]
    assert (drawn == BACKGROUND).sum(1).tolist() == [40, 50, 1]
    for i in range(2):
        assert torch.equal(label[i, index[i]], drawn[i])
        assert len(index[i].unique()) == 60
    few, drawn = draw_boxes(label[:, :5], torch.rand(3, 5), 60, 20)
    assert few.shape == drawn.shape == (3, 5)


def test_every_box_of_a_kind_is_drawn_as_often_as_the_next():
    label = torch.tensor([[OBJECT] * 4 + [BACKGROUND] * 6])
    index, _ = draw_boxes(label.expand(6000, -1), torch.rand(6000, 10), 5, 2)
    share = torch.bincount(index.flatten(), minlength=10) / 6000
    torch.testing.assert_close(share, torch.tensor([0.5] * 10), atol=0.03, rtol=0)


def test_the_largest_noise_is_what_is_drawn():
    label = torch.full((1, 50), BACKGROUND)
    index, _ = draw_boxes(label, torch.arange(50.0)[None] / 50, 3, 1)
    assert index.tolist() == [[49, 48, 47]]


def test_a_mask_on_whole_pixels_is_pytorchs_resize_and_nothing_is_outside():
    logits = torch.randn(2, 28, 28) * 5
    masks = logits.sigmoid()
    boxes = torch.tensor([[4.0, 10, 44, 31], [0, 0, 60, 50]])
    pasted = paste_masks(logits, boxes, 50, 60)
    expected = torch.zeros(2, 50, 60)
    for mask, (x0, y0, x1, y1), whole in zip(masks, boxes.int().tolist(), expected, strict=True):
        size = (y1 - y0, x1 - x0)
        whole[y0:y1, x0:x1] = F.interpolate(mask[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(pasted.sigmoid(), expected, atol=1.1e-4, rtol=0)
    flat = paste_masks(torch.full((2, 28, 28), 20.0), boxes, 50, 60)[0, 10:31, 4:44]
    torch.testing.assert_close(flat, torch.full((21, 40), 9.2104), atol=1e-4, rtol=0)


def test_an_empty_box_shows_nothing_and_a_box_shows_the_pixels_whose_centres_it_holds():
    pasted = paste_masks(torch.ones(2, 4, 4), torch.tensor([[3.0, 3, 3, 3], [1.6, 0.4, 3.6, 1.2]]), 4, 5)
    assert float(pasted[0].max()) < -9
    assert (pasted[1] > -9).nonzero().tolist() == [[0, 2], [0, 3]]
    torch.testing.assert_close(pasted[1, 0, 2:4], torch.ones(2), atol=1e-3, rtol=0)
