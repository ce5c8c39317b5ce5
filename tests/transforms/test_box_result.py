"""The box of the network's image on the pixels of the file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Resized, SpatialPadd, Transposed

from monai_mtl.layers import mask_boxes
from monai_mtl.transforms import BoxResultd

PREPARE = Compose(
    [
        Transposed("image", (0, 2, 1)),
        Resized("image", 128, size_mode="longest", mode="nearest-exact"),
        SpatialPadd("image", (128, 128)),
    ]
)


def seen(width: int, height: int, box: tuple[int, int, int, int]) -> dict:
    """A case whose image shows a box, as the reader gives it, x first, then as the network sees it."""
    picture = np.zeros((1, width, height), np.float32)
    picture[:, box[0] : box[2], box[1] : box[3]] = 1
    image = MetaTensor(picture, meta={"spatial_shape": np.array([width, height])})
    return PREPARE({"image": image})


@pytest.mark.parametrize("size", [(640, 480), (300, 512), (128, 128), (50, 77), (3000, 1999)])
def test_the_box_comes_back_to_the_file(size):
    width, height = size
    box = (width // 5, height // 4, width // 2, height - 2)
    case = seen(width, height, box)
    found, _ = mask_boxes((torch.as_tensor(case["image"]) > 0)[None])
    case["det"] = torch.cat([found[0], torch.tensor([0.8])])
    result = BoxResultd()(case | {"result": {"classification": {"label": "benign"}}})
    assert "det" not in result
    detection = result["result"]["detection"]
    assert detection["score"] == pytest.approx(0.8)
    pixel = max(size) / 128  # of the network, in pixels of the file
    np.testing.assert_allclose(detection["box_xyxy"], box, atol=1.01 * max(pixel, 1))
    assert result["result"]["classification"] == {"label": "benign"}


def test_a_box_over_the_padding_ends_at_the_image_and_nothing_found_is_told():
    case = seen(640, 320, (0, 0, 640, 320))
    whole = BoxResultd()(case | {"det": torch.tensor([0.0, 0, 128, 128, 0.5])})["result"]["detection"]
    assert whole["box_xyxy"] == [0, 0, 640, 320]
    nothing = BoxResultd()(case | {"det": torch.zeros(5)})["result"]["detection"]
    assert nothing == {"box_xyxy": None, "score": 0}
