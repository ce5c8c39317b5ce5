"""The page of an inference: whole in one file, light, and true to what was found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_mtl.outputs.overlay import HEIGHT, draw_case
from monai_mtl.outputs.report import write_inference_report
from monai_mtl.outputs.report.cases import small_picture
from monai_mtl.outputs.report.record import run_record
from monai_mtl.outputs.result_json import NOTICE

from ..conftest import ROOT
from .test_report import LOADS, parsed

RECORD = run_record([], 3.2, "cpu", None, None) | {"bundle": {"name": "a_b", "version": "1.0"}}
RECORD |= {"weights": {"file": "model.pt", "sha256": "abc"}, "command": "monai-mtl infer a_b --input DATA"}


def lesion(long: float | None, parts: int = 1) -> dict[str, Any]:
    sizes = {f"{axis}_axis_mm": None if long is None else long / part for axis, part in (("long", 1), ("short", 2))}
    pixels = {"long_axis_pixels": 40.0, "short_axis_pixels": 20.0}
    return {"parts": parts, **sizes, **pixels, "confidence": {"largest": 0.9, "mean": 0.5}}


def result(name: str, label: str | None = "mass", **found: Any) -> dict[str, Any]:
    chances = {"no mass": 0.25, "mass": 0.75}
    answer = {"classification": {"label": label, "probabilities": chances}} if label else {}
    return {"case_id": name, **answer, **found}


def page(folder: Path, *results: dict, failed=(), pictures=None, **options) -> Any:
    summary = {"results": list(results), "failed": list(failed)}
    return parsed(write_inference_report(folder, "a <title>", summary, pictures or {}, RECORD, **options))


def test_it_tells_classes_lesions_and_failures(tmp_path):
    failed = [{"case_id": "z<b>", "reason": "cannot read z.png"}]
    shown = page(
        tmp_path,
        result("a/one", lesions=[]),
        result("two", lesions=[lesion(12.5)]),
        result("three", "no mass", lesions=[lesion(None), lesion(None), lesion(None, parts=7)]),
        result("four", None, tissue={"stroma": 0.5, "fat": 0.125, "tumour": 0.25, "ink": 0.125}),
        failed=failed,
    )
    for words in (
        *("4 of 5 images done", "1 failed", "z<b>", "cannot read z.png", NOTICE, "a <title>", "mass: 2, no mass: 1"),
        *("a/one", "no lesion", "one lesion: 12.5 x 6.2 mm, surest p = 0.90", "mass (p = 0.75)", "no class told"),
        *("9 lesions, the largest: 40.0 x 20.0 pixels", "stroma 50 %, tumour 25 %, fat 12 %"),
        *("monai-mtl infer a_b --input DATA", "digest nan", "a_b 1.0", "after 3 s"),
    ):
        assert words in shown.text, words
    content = json.loads((tmp_path / "report.json").read_text())
    assert (content["done"], content["images"], content["failed"]) == (4, 5, failed)
    assert [one["case_id"] for one in content["cases"]] == ["a/one", "two", "three", "four"]


def test_nothing_leaves_the_page(tmp_path):
    shown = page(tmp_path, result("x", lesions=[]), pictures={"x": small_picture(Image.new("RGB", (300, 540)), 480)})
    for tag, given in shown.tags:
        for value in (value for key, value in given.items() if key in LOADS):
            assert value.startswith(("data:", "#")), (tag, value[:60])
            assert tag != "a" or any(other.get("id") == value[1:] for _, other in shown.tags), value
    assert {tag for tag, _ in shown.tags} & {"script", "iframe", "object", "embed", "form"} == set()
    assert "default-src 'none'" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("tissues", [(), [("stroma", (1, 2, 3))]])
def test_a_page_of_many_images_stays_light(tmp_path, tissues):
    images = sorted((ROOT / "bundles" / "hds_inbreast" / "sample_data" / "images").iterdir())[:4]
    pictures = {}
    for image in images:
        grey = np.asarray(Image.open(image).convert("L"))
        heat = gaussian_filter(grey / 255, 4)
        pictures[image.stem] = small_picture(draw_case(grey, heat, heat > 0.4, caption=["two", "lines"]), HEIGHT)
        assert (pictures[image.stem]["width"] <= 640, pictures[image.stem]["height"]) == (True, 240)
    names = [f"case{i:03}" for i in range(500)]
    shown = page(tmp_path, *(result(name, lesions=[lesion(3.0)]) for name in names), tissues=tissues)
    bare = (tmp_path / "report.html").stat().st_size
    assert bare < 500_000
    assert len(re.findall("case[0-9]{3}", shown.text)) == 500
    assert sum(len(one["uri"]) for one in pictures.values()) / 4 < 20_000, "500 pictures are less than 10 MB"
