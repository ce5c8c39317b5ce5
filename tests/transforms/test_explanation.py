"""Maps that explain an answer: each cell as large as what it speaks for."""

from __future__ import annotations

import torch

from monai_mtl.transforms import ExplanationMapd


def explained(values: torch.Tensor, **more) -> dict:
    case = {"cls_map": values, "image": torch.zeros(1, 8, 12), "result": {"classification": 1}, **more}
    return ExplanationMapd("cls_map", "a map")(case)


def test_cells_are_blocks_with_the_probability_of_not_being_class_0():
    logits = torch.randn(3, 2, 3)
    done = explained(logits)
    chance = 1 - logits.softmax(0)[0]
    torch.testing.assert_close(
        done["explanation"].as_tensor()[0], chance.repeat_interleave(4, 0).repeat_interleave(4, 1)
    )
    assert done["result"] == {"classification": 1, "explanation": {"method": "a map"}}


def test_one_channel_is_shown_as_it_is():
    values = torch.rand(1, 8, 12)
    torch.testing.assert_close(explained(values)["explanation"].as_tensor(), values)


def test_a_map_of_a_window_lies_where_the_window_lies():
    done = explained(torch.full((1, 1, 1), 0.5), window=torch.tensor([2, 4, 6, 10]))["explanation"].as_tensor()
    expected = torch.zeros(1, 8, 12)
    expected[:, 2:6, 4:10] = 0.5
    torch.testing.assert_close(done, expected)
    wider = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])  # two columns of it lie outside, one on either side
    done = explained(wider, window=torch.tensor([0, -4, 8, 16]))["explanation"].as_tensor()
    columns = torch.tensor([0.1] * 1 + [0.2] * 5 + [0.3] * 5 + [0.4] * 1)
    torch.testing.assert_close(done[0, 0], columns)


def test_without_a_map_nothing_is_written():
    case = {"image": torch.zeros(1, 8, 12), "result": {}}
    assert ExplanationMapd("cls_map", "a map")(case) == case
