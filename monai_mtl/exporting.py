"""Export of a bundle's trained network, judged on a labelled data set."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from monai.data import Dataset

from .bundle.export import ExportedNetwork, export_onnx, export_openvino, export_path, require_agreement
from .bundle.export.record import network_settings, write_record
from .bundle.opening import component, open_bundle, start_handlers
from .errors import MonaiMtlError
from .handlers import WeightsLoader

__all__ = ["export_bundle"]

logger = logging.getLogger("monai_mtl")

SECTIONS = ("test", "validation", "training")


def export_bundle(
    bundle: PathLike,
    weights: PathLike | None = None,
    backend: str = "onnx",
    precision: str = "fp32",
    data: PathLike | None = None,
    images: int = 200,
    calibration_images: int = 64,
    recipe: str | None = None,
    **settings: Any,
) -> Path:
    """Write the network beside its weights, for ``Predictor(backend=...)``, if it passes the gate.

    Network, images, labels, inferer and metrics are those of the bundle's evaluation. An export that is refused leaves
    nothing behind.

    Args:
        bundle: Folder of the bundle.
        weights: Weights file; ``models/model.pt`` of the bundle by default.
        backend: ``"onnx"`` or ``"openvino"``.
        precision: ``"fp32"``; for OpenVINO also ``"bf16"`` or ``"int8"``.
        data: Folder with the data set; the bundle's ``sample_data`` by default.
        images: How many images judge at most: test cases first, then those of validation and of training.
        calibration_images: How many training images int8 is calibrated with; they do not judge.
        recipe: Overlay on train.json that the weights were trained with, a name in the bundle's ``configs/``.
        **settings: Overrides of train.json that the weights were trained with, such as ``image_size``.

    Returns:
        The exported file; a JSON of the same name tells how it was judged.

    Raises:
        MonaiMtlError: As :func:`monai_mtl.bundle.export.require_agreement` and the two exports raise it.
    """
    folder = Path(bundle)
    weights = Path(weights) if weights is not None else folder / "models" / "model.pt"
    path = export_path(weights, backend, precision)
    fixed = {"checkpoint": str(weights), "precision": "fp32", "device": "cpu", "cache": "none"}
    given = fixed | ({} if data is None else {"dataset_dir": str(data)}) | settings
    configs = ["train.json", *([f"{recipe}.json"] if recipe else []), "evaluate.json"]
    parser = open_bundle(folder, configs, given, kind="train")
    handlers = component(parser, "validate#handlers")
    start_handlers([handler for handler in handlers if isinstance(handler, WeightsLoader)])
    network = component(parser, "network")
    sections = component(parser, "datalist")
    cases, calibration = [case for name in SECTIONS for case in sections[name]], []
    if precision == "int8":
        training = sections["training"]
        calibration = random.Random(0).sample(training, min(calibration_images, len(training)))
        cases = [case for case in cases if case not in calibration]
    transform = component(parser, "validate#preprocessing")
    judging: Any = Dataset(cases[:images], transform)
    inferer, onnx = component(parser, "validate#inferer"), path.with_suffix(".onnx")

    def image(case: dict) -> torch.Tensor:
        """One image as the network sees it: where the inferer runs tiles, a tile."""
        rows, columns = getattr(inferer, "roi_size", None) or (None, None)
        return torch.as_tensor(transform(case)["image"]).as_subclass(torch.Tensor)[None, :, :rows, :columns].float()

    logger.info("exporting to %s", path)
    try:
        export_onnx(network, onnx, image(cases[0]))
        if backend == "openvino":
            export_openvino(onnx, path, precision, [image(case) for case in calibration])
            onnx.unlink()
        metrics = component(parser, "validate#key_metric")
        metrics = metrics | component(parser, "validate#additional_metrics")
        post = component(parser, "validate#postprocessing")
        exported = ExportedNetwork(path, precision)
        judged = require_agreement(network, exported, judging, post, metrics, inferer=inferer)
    except MonaiMtlError:
        for suffix in (".onnx", ".xml", ".bin", ".json"):
            path.with_suffix(suffix).unlink(missing_ok=True)
        raise
    write_record(path, weights, network_settings(parser), judged)
    logger.info("judged on %d images: %s", judged["images"], path.with_suffix(".json"))
    return path
