"""Results of a region, as plain JSON."""

from __future__ import annotations

import json

import torch

from monai_mtl.transforms import MaskFromLogitsd, RegionResultd


def test_the_most_probable_class_of_each_pixel_is_the_mask():
    logits = torch.tensor([[[0.0, 2.0]], [[1.0, 1.0]], [[0.5, 3.0]]])
    done = MaskFromLogitsd("seg", "pred")({"seg": logits})
    assert torch.as_tensor(done["pred"]).tolist() == [[[1, 2]]]
    assert "seg" not in done


def test_a_region_tells_tissue_diagnosis_and_the_diagnosis_of_each_tile():
    tiles = torch.tensor([[0.9, 0.6], [0.5, 0.2]])
    cls_map = torch.stack([tiles, 1 - tiles]).log()
    data = {"pred": torch.tensor([[0, 1, 1, 1]]), "cls": torch.tensor([0.25, 0.75]).log(), "cls_map": cls_map}
    data["features"] = torch.tensor([0.5, float("nan")])
    result = RegionResultd(["background", "gland"], ["a", "b"], threshold=0.7)(data)["result"]
    assert result["tissue"] == {"background": 0.25, "gland": 0.75}
    assert result["classification"] == {"label": "b", "probabilities": {"a": 0.25, "b": 0.75}}
    assert result["tiles"] == {
        "label": [["a", "a"], ["a", "b"]],
        "probability": [[0.9, 0.6], [0.5, 0.8]],
        "sure": 2,
        "threshold": 0.7,
    }
    assert json.dumps(result["features"]) == "[0.5, NaN]"


def test_a_network_without_diagnosis_tells_none():
    result = RegionResultd(["background", "gland"], [])({"pred": torch.zeros(2, 2)})["result"]
    assert result == {"tissue": {"background": 1.0, "gland": 0.0}}
