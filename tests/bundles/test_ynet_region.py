"""A region of 3000 x 2000 pixels of real tissue, from its file to its files: what it costs; it is its tiles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map
from PIL import Image

from monai_mtl.bundle.opening import open_bundle
from monai_mtl.networks import TissueDiagnosis, YNet
from monai_mtl.transforms import DiagnosisFromFeaturesd

from ..conftest import ROOT

BUNDLE = ROOT / "bundles" / "ynet_biopsy"
SETTINGS = {"tissue_features": True, "sure_above": 0.25}
TILE, STEP = 384, 192
GIGABYTE = 10**9
RUN = """
import json, sys, torch
torch.set_num_threads(1)
from monai_mtl.predictor import Predictor
def bytes_of(text):
    return int(next(l for l in open("/proc/self/status") if l.startswith(text)).split()[1]) << 10
before = bytes_of("VmRSS")
bundle, weights, precision, image, out, settings = sys.argv[1:]
Predictor(bundle, weights, precision=precision, device="cpu", **json.loads(settings)).run(image, out)
print(bytes_of("VmHWM") - before)
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux's table")]


@pytest.fixture(scope="module")
def region() -> np.ndarray:
    """The five breast tiles and the colorectal ones in turns, 2000 rows of 3000 pixels."""
    paths = sorted([*BUNDLE.glob("sample_tiles/*rgb/*.png"), *BUNDLE.glob("sample_data/images/*.png")])
    tiles = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    assert len(tiles) == 23
    assert {tile.shape for tile in tiles} == {(TILE, TILE, 3)}
    rows = [np.concatenate([tiles[(8 * i + j) % len(tiles)] for j in range(8)], axis=1) for i in range(6)]
    return np.concatenate(rows)[:2000, :3000]


@pytest.fixture(scope="module")
def network(region) -> YNet:
    """The bundle's, random, its statistics those of the region."""
    torch.manual_seed(0)
    given = {"checkpoint": str(BUNDLE / "LICENSE"), "dataset#data": []}
    net = open_bundle(BUNDLE, ["inference.json"], given).get_parsed_content("network_def").train()
    with torch.no_grad():
        for top in range(0, 1536, TILE):
            net(tensor(region[top : top + TILE, : 2 * TILE]).unflatten(3, (2, TILE))[0].permute(2, 0, 1, 3))
    return net.eval()


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module", params=["fp32", "auto"])
def run(request, region, network, tmp_path_factory) -> tuple[str, int, Path]:
    """Precision, peak of memory above the imports, and folder with the files."""
    folder = tmp_path_factory.mktemp(request.param)
    Image.fromarray(region).save(folder / "region.png")
    torch.save({"model": network.state_dict()}, folder / "model.pt")
    words = [BUNDLE, folder / "model.pt", request.param, folder / "region.png", folder / "out", json.dumps(SETTINGS)]
    command = [sys.executable, "-W", "ignore", "-c", RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return request.param, int(done.stdout.split()[-1]), folder / "out"


def test_mask_map_features_and_diagnosis_need_less_than_a_gigabyte(run):
    _, peak, out = run
    assert 1e8 < peak < GIGABYTE  # the image alone is 72 MB
    result = json.loads((out / "region.json").read_text())
    for kind in ("mask", "discriminative"):
        assert Image.open(out / result["files"][kind]).size == (3000, 2000)
    assert np.shape(result["tiles"]["label"]) == (10, 15)
    assert len(result["features"]) == 8 + 36
    assert sum(result["classification"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_away_from_borders_it_is_what_its_tiles_say_one_by_one(run, region, network):
    """A part of 4 x 5 tiles, laid by the plainest loop; half a tile from its borders it is that of the region."""
    precision, _, out = run
    top, left, rows, columns = 2 * STEP, 3 * STEP, 4, 5
    height, width = TILE + (rows - 1) * STEP, TILE + (columns - 1) * STEP
    part = tensor(region[top : top + height, left : left + width])
    weight = compute_importance_map((TILE, TILE), mode="gaussian", sigma_scale=0.125, device="cpu")
    seg, sure, total = (torch.zeros(n, height, width) for n in (8, 1, 1))
    logits = torch.zeros(4, rows, columns)
    with torch.inference_mode():
        for row in range(rows):
            for column in range(columns):
                place = (slice(row * STEP, row * STEP + TILE), slice(column * STEP, column * STEP + TILE))
                found = network(part[(..., *place)])
                logits[:, row, column] = found["cls"][0]
                seg[(slice(None), *place)] += weight * found["seg"][0]
                sure[(slice(None), *place)] += weight * found["cls"].softmax(dim=1).max()
                total[(slice(None), *place)] += weight
    inside = (slice(STEP, height - STEP), slice(STEP, width - STEP))
    same = (slice(top + STEP, top + height - STEP), slice(left + STEP, left + width - STEP))
    mask = np.asarray(Image.open(out / "region_mask.png"))[same]
    assert len(np.unique(mask)) > 1
    certainty = np.asarray(Image.open(out / "region_discriminative.png"))[same] / 65535
    tiles = json.loads((out / "region.json").read_text())["tiles"]["probability"]
    tiles = np.array(tiles)[2 : 2 + rows, 3 : 3 + columns]
    tolerance = 1e-4 if precision == "fp32" else 0.02
    assert np.abs((sure / total)[0].numpy()[inside] - certainty).max() < tolerance
    assert np.abs(logits.softmax(dim=0).amax(dim=0).numpy() - tiles).max() < tolerance
    other = (seg.argmax(dim=0).numpy()[inside] != mask).mean()
    assert other < (1e-4 if precision == "fp32" else 0.02), "pixels of another tissue"


def test_features_follow_from_the_written_map_and_mask_and_can_be_diagnosed(run):
    _, _, out = run
    result = json.loads((out / "region.json").read_text())
    mask, certainty = (np.asarray(Image.open(out / f"region_{kind}.png")) for kind in ("mask", "discriminative"))
    sure = certainty > SETTINGS["sure_above"] * 65535
    assert sure.any()
    shares = np.bincount(mask[sure], minlength=8) / sure.sum()
    assert result["features"][:8] == pytest.approx(shares.tolist(), abs=1e-4)
    assert sum(result["features"][8:]) == pytest.approx(1, abs=1e-4)
    diagnosed = DiagnosisFromFeaturesd(TissueDiagnosis().eval())({"features": torch.tensor(result["features"])})
    assert float(diagnosed["diagnosis"].sum()) == pytest.approx(1)
