"""What other precisions and backends do to the answers of the shipped weights, into the model card.

python scripts/card_precision.py hds_inbreast DATA

Each is judged by the gate of ``monai-mtl export`` on the labelled images of DATA, against float32 in torch.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import fire
from card_text import ROOT, put_into_card
from monai.data import Dataset

from monai_mtl.bundle.export import require_agreement
from monai_mtl.bundle.opening import component, open_bundle, start_handlers
from monai_mtl.engines import Precision, bf16_units
from monai_mtl.errors import RunError
from monai_mtl.exporting import SECTIONS, export_bundle
from monai_mtl.handlers import WeightsLoader

WAYS = (("torch", "bf16"), ("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"))


def main(bundle: str, data: str, recipe: str = "shipped", images: int = 200) -> None:
    """Judge each way and put the table between the marks of the card.

    Args:
        bundle: Name.
        data: Labelled data set of at least 60 images.
        recipe: Overlay on train.json that fits the weights.
        images: How many judge at most.
    """
    folder = ROOT / "bundles" / bundle
    if not bf16_units():
        raise SystemExit("error: this processor has no units for bf16\n  fix: run it on one that has")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(shutil.copy(folder / "models" / "model.safetensors", scratch))
        for backend, precision in WAYS:
            try:
                if backend == "torch":
                    gate = _judge_torch(folder, weights, data, recipe, images)
                else:
                    path = export_bundle(folder, weights, backend, precision, data, images, recipe=recipe)
                    gate = json.loads(path.with_suffix(".json").read_text())["gate"]
                rows.append(_row(backend, precision, gate))
            except RunError as refused:
                reason = "; ".join(refused.where)
                rows.append(f"| {backend} {precision} | **refused** | {reason} | | |")
    head = "| | images | change of the metrics | largest change of p, image | pixel |"
    put_into_card(folder / "docs" / "README.md", [head, "|---|---|---|---|---|", *rows], "precisions")


def _judge_torch(folder: Path, weights: Path, data: str, recipe: str, images: int) -> dict[str, Any]:
    """The network in bfloat16, as ``precision`` auto runs it on this processor."""
    given = {"checkpoint": str(weights), "precision": "fp32", "device": "cpu", "cache": "none", "dataset_dir": data}
    parser = open_bundle(folder, ["train.json", f"{recipe}.json", "evaluate.json"], given, kind="train")
    handlers = component(parser, "validate#handlers")
    start_handlers([handler for handler in handlers if isinstance(handler, WeightsLoader)])
    network, numerics = component(parser, "network"), Precision("bf16")

    def rounded(image: Any) -> Any:
        with numerics.autocast():
            return network(image)

    cases = [case for name in SECTIONS for case in component(parser, "datalist")[name]][:images]
    metrics = component(parser, "validate#key_metric") | component(parser, "validate#additional_metrics")
    judging: Any = Dataset(cases, component(parser, "validate#preprocessing"))
    post, inferer = (component(parser, f"validate#{name}") for name in ("postprocessing", "inferer"))
    return require_agreement(network, rounded, judging, post, metrics, inferer=inferer)


def _row(backend: str, precision: str, gate: dict[str, Any]) -> str:
    changes = ", ".join(f"{name} {one['change']:.4f}" for name, one in gate["metrics"].items())
    largest = f"{gate['largest_probability_change']:.4f} | {gate['largest_pixel_change']:.4f}"
    return f"| {backend} {precision} | {gate['images']} | {changes} | {largest} |"


if __name__ == "__main__":
    fire.Fire(main)
