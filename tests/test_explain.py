"""``explain``: what each bundle shows, and that it changes nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.errors import ConfigError
from monai_mtl.outputs.explanation import draw_explanation
from monai_mtl.predictor import Predictor

from .conftest import ROOT
from .trained import random_weights, tiny

METHODS = {
    "acsnet_busi": "Grad-CAM of encoder.layer4",
    "fcn_ddsm": "Grad-CAM of encoder.layer4",
    "hds_inbreast": "class map of the network",
    "ynet_biopsy": "discriminative map",
}


def image_of(bundle: Path, folder: Path) -> Path:
    """A sample image; a part of it for ynet_biopsy, which takes whole sections in tiles."""
    source = sorted(path for path in (bundle / "sample_data" / "images").iterdir() if path.is_file())[0]
    if bundle.name != "ynet_biopsy":
        return Path(shutil.copy(source, folder / f"x{source.suffix}"))
    with Image.open(source) as whole:
        whole.crop((0, 0, 130, 100)).save(folder / "x.png")
    return folder / "x.png"


@pytest.mark.parametrize("name", METHODS)
def test_a_map_is_drawn_where_it_is_asked_for_and_all_else_stays(name, tmp_path):
    bundle = ROOT / "bundles" / name
    settings = {**tiny(bundle), "device": "cpu"}
    weights = random_weights(bundle, tmp_path / "model.pt", **settings)
    image = image_of(bundle, tmp_path)
    answers = {}
    for explain in (False, True):
        out = tmp_path / str(explain)
        Predictor(bundle, weights, explain=explain, **settings).run(image, out)
        answers[explain] = json.loads((out / "x.json").read_text())
        assert (out / "x_explain.png").is_file() == explain
    assert answers[True].pop("explanation")["method"].startswith(METHODS[name])
    assert answers[True]["files"].pop("explain") == "x_explain.png"
    assert answers[True] == answers[False]
    for file in ("mask", "overlay"):
        assert (tmp_path / "True" / f"x_{file}.png").read_bytes() == (tmp_path / "False" / f"x_{file}.png").read_bytes()


def test_the_brightest_cell_of_the_class_map_is_the_place_that_decided(tmp_path, monkeypatch):
    bundle = ROOT / "bundles" / "hds_inbreast"
    settings = {**tiny(bundle), "image_size": [384, 256], "device": "cpu"}
    weights = random_weights(bundle, tmp_path / "model.pt", **settings)
    predictor = Predictor(bundle, weights, explain=True, **settings)
    seen = []
    write = predictor._writer.write
    monkeypatch.setattr(predictor._writer, "write", lambda case, output: (seen.append(output), write(case, output)))
    predictor.run(image_of(bundle, tmp_path), tmp_path / "out")
    heat = np.asarray(seen[0]["explanation"])[0].T
    x0, y0, x1, y1 = json.loads((tmp_path / "out" / "x.json").read_text())["location"]["box_xyxy"]
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert y0 - 1 <= row <= y1
    assert x0 - 1 <= column <= x1
    with Image.open(image_of(bundle, tmp_path)) as image:
        assert heat.shape == (image.height, image.width)


def test_an_exported_network_has_no_gradients_and_says_so(tmp_path, monkeypatch):
    bundle = ROOT / "bundles" / "acsnet_busi"
    settings = {**tiny(bundle), "device": "cpu"}
    weights = random_weights(bundle, tmp_path / "model.pt", **settings)
    predictor = Predictor(bundle, weights, explain=True, **settings)
    network = predictor.network
    monkeypatch.setattr(predictor, "network", lambda image: network(image))
    with pytest.raises(ConfigError, match="needs the network's gradients"):
        predictor.run(image_of(bundle, tmp_path), tmp_path / "out")


def test_the_picture_shows_the_image_and_where_the_map_is_high():
    grey = np.tile(np.arange(40.0), (40, 1))
    heat = np.zeros((40, 40))
    heat[:, 20:] = 1
    picture = np.asarray(draw_explanation(grey, heat, ["a caption"], height=40)).astype(int)
    plain, mixed = picture[-40:, :40], picture[-40:, -40:]
    assert (plain[..., 0] == plain[..., 2]).all()
    assert np.abs(plain[:, :15] - mixed[:, :15]).max() <= 1
    assert (mixed[:, 25:, 0] - mixed[:, 25:, 2] > 50).all(), "red where it is high"
    colours = np.stack([grey, grey * 0, grey * 0])
    assert draw_explanation(colours, heat, height=20).size == (2 * 20 + 6, 20)
