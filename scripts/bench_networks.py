"""Speed and memory of a bundle's network, against the same network in eager float32.

One with deep supervision then computes every level, as the papers' code does. Called by bench.py. Weights are random:
speed does not depend on them. Each way is prepared in a process of its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from bench_memory import bench_memory
from bench_turns import Run, Way, in_turns
from torch import nn

from monai_mtl.bundle.export import ExportedNetwork, export_onnx, export_openvino, export_path
from monai_mtl.bundle.export.record import network_settings, write_record
from monai_mtl.bundle.opening import component, open_bundle
from monai_mtl.engines import Precision, bf16_units
from monai_mtl.predictor import Predictor
from monai_mtl.registry import Bundle

__all__ = ["bench_bundle"]

STEP = {"batch_size": 4, "patch_size": [512, 384]}
"""Settings of a training step; a bundle that has no windows takes its whole images."""
SMALLER = {"skin_lesion_isic2017": {"batch_size": 1}}
"""Where four images take more memory than a laptop has."""
IMAGES = 4
EAGER, ALL_LEVELS, MAIN = "eager, fp32", "every level, eager, fp32", "main output, eager, fp32"


class AllLevels(nn.Module):
    """A network with deep supervision that computes every level in eval mode too, and answers with the main one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """As the network's."""
        levels = self.network.forward_levels(image)
        found = {"seg": levels["seg_levels"][-1], "cls_map": levels["cls_levels"][-1]}
        return {**found, "cls": found["cls_map"].amax((2, 3))}


def exports() -> list[tuple[str, str]]:
    """Backends and precisions that this machine can run."""
    found = [("onnx", "fp32")] if find_spec("onnxruntime") else []
    if find_spec("openvino"):
        found += [("openvino", "fp32"), *([("openvino", "bf16")] if bf16_units() else [])]
    return found


def bench_bundle(bundle: Bundle, folder: Path, rounds: int) -> dict[str, Any]:
    """Evaluation, training step, file to mask and memory.

    Args:
        bundle: One of the registry.
        folder: For weights and exports.
        rounds: Turns of each.
    """
    spec = bundle.metadata["network_data_format"]["inputs"]["image"]
    shape = (1, spec["num_channels"], *spec["spatial_shape"])
    weights = _weights(bundle, folder, shape)
    made = _exports(bundle, weights, torch.rand(shape) * 255)
    images = _images(bundle, folder)
    settings = _step_settings(bundle)
    return {
        "eval": {"shape": list(shape), **in_turns(_evals(bundle, weights, shape, made), rounds)},
        "step": {"shape": list(_batch(bundle, settings)[0].shape), **in_turns(_steps(bundle, settings), rounds)},
        "path": {"images": IMAGES, **in_turns(_paths(bundle, weights, folder, made), max(3, rounds // 2))},
        "memory": bench_memory(bundle, weights, images, folder, made),
    }


def _network(bundle: Bundle, weights: Path | None = None) -> nn.Module:
    given = {"checkpoint": str(weights or bundle.folder / "LICENSE"), "dataset#data": [], "device": "cpu"}
    parser = open_bundle(bundle.folder, ["inference.json"], given)
    network = component(parser, "network_def").eval()  # not the config's network, which has been placed
    if weights is not None:
        network.load_state_dict(torch.load(weights, weights_only=True)["model"])
    return network


def _weights(bundle: Bundle, folder: Path, shape: tuple[int, ...]) -> Path:
    network = _network(bundle).train()
    with torch.no_grad():  # else activations grow from layer to layer
        network(torch.rand(2, *shape[1:]) * 255)
    path = folder / "model.pt"
    torch.save({"model": network.state_dict()}, path)
    return path


def _exports(bundle: Bundle, weights: Path, image: torch.Tensor) -> dict[str, tuple[str, str]]:
    """Exports beside the weights, with a record that says that nothing judged them."""
    given = {"checkpoint": str(weights), "dataset#data": []}
    settings = network_settings(open_bundle(bundle.folder, ["inference.json"], given))
    for backend, precision in exports():
        path = export_path(weights, backend, precision)
        onnx = export_path(weights, "onnx", "fp32")
        if backend == "onnx":
            export_onnx(_network(bundle, weights), path, image)
        else:
            export_openvino(onnx, path, precision)
        write_record(path, weights, settings, {"images": 0})
    return {f"{backend} {precision}": (backend, precision) for backend, precision in exports()}


def _evals(
    bundle: Bundle, weights: Path, shape: tuple[int, ...], made: Mapping[str, tuple[str, str]]
) -> dict[str, Way]:
    several = hasattr(_network(bundle), "forward_levels")
    ways = {ALL_LEVELS if several else EAGER: Way(_eval, (bundle, weights, shape, "fp32", several, False))}
    if several:
        ways[MAIN] = Way(_eval, (bundle, weights, shape, "fp32", False, False))
    ways[f"precision auto ({Precision('auto').name})"] = Way(_eval, (bundle, weights, shape, "auto", False, True))
    return ways | {name: Way(_exported, (weights, shape, *how)) for name, how in made.items()}


def _eval(bundle: Bundle, weights: Path, shape: tuple[int, ...], name: str, all_levels: bool, place: bool) -> Run:
    network, precision, image = _network(bundle, weights), Precision(name), torch.rand(shape) * 255
    if all_levels:
        network = AllLevels(network)
    if place:
        network = precision.place(network)

    def run() -> Any:
        with torch.inference_mode(), precision.autocast():
            return network(image)

    return run


def _exported(weights: Path, shape: tuple[int, ...], backend: str, precision: str) -> Run:
    exported, image = ExportedNetwork(export_path(weights, backend, precision), precision), torch.rand(shape) * 255
    return lambda: exported(image)


def _step_settings(bundle: Bundle) -> dict[str, Any]:
    config = json.loads((bundle.folder / "configs" / "train.json").read_text())
    found = {name: value for name, value in STEP.items() if name in config}
    return found | SMALLER.get(bundle.name, {}) | {"device": "cpu", "cache": "none"}


def _batch(bundle: Bundle, settings: Mapping[str, Any]) -> tuple[torch.Tensor, Any, dict[str, Any], Any, nn.Module]:
    """An image, its target, what else the network asks for, the loss and the network of a training."""
    parser = open_bundle(bundle.folder, ["train.json"], settings, kind="train")
    batch = next(iter(parser.get_parsed_content("train#dataloader")))
    image, target, *more = parser.get_parsed_content("train#prepare_batch")(batch, "cpu")
    return image, target, more[1] if more else {}, component(parser, "loss"), component(parser, "network_def")


def _steps(bundle: Bundle, settings: Mapping[str, Any]) -> dict[str, Way]:
    auto = f"precision auto ({Precision('auto').name})"
    return {
        EAGER: Way(_step, (bundle, settings, "fp32", False)),
        auto: Way(_step, (bundle, settings, "auto", True)),
    }


def _step(bundle: Bundle, settings: Mapping[str, Any], name: str, place: bool) -> Run:
    image, target, asks, loss, network = _batch(bundle, settings)
    precision, network = Precision(name), network.train()
    if place:
        network = precision.place(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, fused=place)  # as the bundles' are

    def run() -> None:
        optimizer.zero_grad()
        with precision.autocast():
            outputs = network(image, **asks)
        floats = {name: value.float() if value.is_floating_point() else value for name, value in outputs.items()}
        loss(floats, target).backward()
        optimizer.step()

    return run


def _paths(bundle: Bundle, weights: Path, folder: Path, made: Mapping[str, tuple[str, str]]) -> dict[str, Way]:
    several = hasattr(_network(bundle), "forward_levels")
    images = folder / "images"
    base = f"run of the config, {ALL_LEVELS if several else EAGER}"
    ways = {base: Way(_config_run, (bundle, weights, images, folder / "plain", several))}
    for name, how in {"torch auto": ("torch", "auto"), **made}.items():
        out = folder / name.replace(" ", "_")
        ways[f"Predictor, {name}"] = Way(_predictor_run, (bundle.folder, weights, *how, images, out))
    return ways


def _config_run(bundle: Bundle, weights: Path, images: Path, out: Path, all_levels: bool) -> Run:
    given = {"checkpoint": str(weights), "dataset_dir": str(images), "device": "cpu", "precision": "fp32"}
    parser = open_bundle(bundle.folder, ["inference.json"], {**given, "output_dir": str(out)})
    evaluator = parser.get_parsed_content("evaluator")
    network = _network(bundle, weights)
    evaluator.network = AllLevels(network) if all_levels else network
    return evaluator.run


def _predictor_run(bundle: Path, weights: Path, backend: str, precision: str, images: Path, out: Path) -> Run:
    predictor = Predictor(bundle, weights, backend, precision, device="cpu")
    return lambda: predictor.run(images, out)


def _images(bundle: Bundle, folder: Path) -> Path:
    target = folder / "images"
    if not target.is_dir():
        target.mkdir()
        for path in sorted((bundle.folder / "sample_data" / "images").iterdir())[:IMAGES]:
            shutil.copy(path, target)
    return target
