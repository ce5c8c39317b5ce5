"""Speed and memory of a bundle's network, against the same network in eager float32.

One with deep supervision then computes every level, as the papers' code does. Called by bench.py. Weights are random:
speed does not depend on them.
"""

from __future__ import annotations

import copy
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_mtl.bundle.export import ExportedNetwork, export_onnx, export_openvino, export_path
from monai_mtl.bundle.export.record import network_settings, write_record
from monai_mtl.bundle.opening import open_bundle, start_handlers
from monai_mtl.engines import Precision, bf16_units
from monai_mtl.predictor import Predictor
from monai_mtl.registry import Bundle

__all__ = ["bench_bundle"]

STEP = {"batch_size": 4, "patch_size": [512, 384]}
"""Settings of a training step; a bundle that has no windows takes its whole images."""
IMAGES = 4
MANY = 200
"""Images of a long run, whose memory must stay that of its first tenth."""
EAGER, ALL_LEVELS, MAIN = "eager, fp32", "every level, eager, fp32", "main output, eager, fp32"
Run = Callable[[], Any]


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
    steps, step_shape = _steps(bundle)
    return {
        "eval": {"shape": list(shape), **in_turns(_evals(bundle, weights, shape, made), rounds)},
        "step": in_turns(steps, rounds) | {"shape": step_shape},
        "path": {"images": IMAGES, **in_turns(_paths(bundle, weights, folder, made), max(3, rounds // 2))},
        "memory": _memories(bundle, weights, folder, made),
    }


def in_turns(runs: Mapping[str, Run], rounds: int) -> dict[str, Any]:
    """Seconds of each, and how many times quicker than the first in the same round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for turn in range(rounds):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - start)
    base = next(iter(seconds.values()))
    rows = {}
    for name, values in seconds.items():
        ratios = sorted(one / other for one, other in zip(base, values, strict=True))
        rows[name] = {
            "median_s": statistics.median(values),
            "median_ratio": statistics.median(ratios),
            "lower_quartile": ratios[len(ratios) // 4],
            "upper_quartile": ratios[-1 - len(ratios) // 4],
        }
    return {"rounds": rounds, "rows": rows}


def _network(bundle: Bundle, weights: Path | None = None) -> nn.Module:
    given = {"checkpoint": str(weights or bundle.folder / "LICENSE"), "dataset#data": [], "device": "cpu"}
    parser = open_bundle(bundle.folder, ["inference.json"], given)
    if weights is not None:
        start_handlers(parser.get_parsed_content("handlers")[:1])
    return parser.get_parsed_content("network_def").eval()


def _base(bundle: Bundle, weights: Path) -> tuple[str, nn.Module]:
    """What the others are compared with."""
    network = _network(bundle, weights)
    return (ALL_LEVELS, AllLevels(network)) if hasattr(network, "forward_levels") else (EAGER, network)


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


def _evals(bundle: Bundle, weights: Path, shape: tuple[int, ...], made: Mapping[str, tuple[str, str]]) -> dict:
    image = torch.rand(shape) * 255

    def torch_run(network: nn.Module, precision: Precision) -> Run:
        def run() -> Any:
            with torch.inference_mode(), precision.autocast():
                return network(image)

        return run

    eager, auto = Precision("fp32"), Precision("auto")
    base, network = _base(bundle, weights)
    runs = {base: torch_run(network, eager)}
    if base == ALL_LEVELS:
        runs[MAIN] = torch_run(_network(bundle, weights), eager)
    runs[f"precision auto ({auto.name})"] = torch_run(auto.place(_network(bundle, weights)), auto)
    for name, (backend, precision) in made.items():
        exported = ExportedNetwork(export_path(weights, backend, precision), precision)
        runs[name] = lambda exported=exported: exported(image)
    return runs


def _steps(bundle: Bundle) -> tuple[dict[str, Run], list[int]]:
    config = json.loads((bundle.folder / "configs" / "train.json").read_text())
    given = {name: value for name, value in STEP.items() if name in config} | {"device": "cpu", "cache": "none"}
    parser = open_bundle(bundle.folder, ["train.json"], given, kind="train")
    batch = next(iter(parser.get_parsed_content("train#dataloader")))
    image, target = parser.get_parsed_content("train#prepare_batch")(batch, "cpu")
    loss, definition = parser.get_parsed_content("loss"), parser.get_parsed_content("network_def")

    def step(precision: Precision, place: bool) -> Run:
        network = copy.deepcopy(definition).train()
        network = precision.place(network) if place else network
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

        def run() -> None:
            optimizer.zero_grad()
            with precision.autocast():
                outputs = network(image)
            loss({name: value.float() for name, value in outputs.items()}, target).backward()
            optimizer.step()

        return run

    auto = Precision("auto")
    runs = {"eager, fp32": step(Precision("fp32"), False), f"precision auto ({auto.name})": step(auto, True)}
    return runs, list(image.shape)


def _paths(bundle: Bundle, weights: Path, folder: Path, made: Mapping[str, tuple[str, str]]) -> dict[str, Run]:
    images = _images(bundle, folder)
    given = {"checkpoint": str(weights), "dataset_dir": str(images), "device": "cpu", "precision": "fp32"}
    parser = open_bundle(bundle.folder, ["inference.json"], {**given, "output_dir": str(folder / "out")})
    evaluator = parser.get_parsed_content("evaluator")
    base, evaluator.network = _base(bundle, weights)
    runs: dict[str, Run] = {f"run of the config, {base}": evaluator.run}
    for name, (backend, precision) in {"torch auto": ("torch", "auto"), **made}.items():
        predictor = Predictor(bundle.folder, weights, backend, precision, device="cpu")
        runs[f"Predictor, {name}"] = lambda predictor=predictor: predictor.run(images, folder / "out")
    return runs


def _images(bundle: Bundle, folder: Path) -> Path:
    target = folder / "images"
    if not target.is_dir():
        target.mkdir()
        for path in sorted((bundle.folder / "sample_data" / "images").iterdir())[:IMAGES]:
            shutil.copy(path, target)
    return target


MEMORY = """
import json, sys, torch
from monai_mtl.predictor import Predictor
words = json.loads(sys.argv[1])
torch.set_num_threads(words["threads"])
def mib(text):
    return int(next(l for l in open("/proc/self/status") if l.startswith(text)).split()[1]) / 1024
found = [mib("VmRSS")]
predictor = Predictor(*words["predictor"], device="cpu")
for images in words["images"]:
    predictor.run(images, words["out"])
    found.append(mib("VmHWM"))
print(json.dumps(found))
"""


def _memories(bundle: Bundle, weights: Path, folder: Path, made: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Peak of a run in its own process, above what the imports take, and how much it still grows in a long run."""
    images = sorted(str(path) for path in _images(bundle, folder).iterdir())
    many = folder / "many"
    many.mkdir(exist_ok=True)
    for i in range(MANY):
        source = Path(images[i % len(images)])
        shutil.copy(source, many / f"{i:03d}{source.suffix}")
    copies = sorted(str(path) for path in many.iterdir())
    runs = {name: (*how, [images]) for name, how in {"torch auto": ("torch", "auto"), **made}.items()}
    for name, how in {"torch auto": ("torch", "auto"), **dict(list(made.items())[-1:])}.items():
        runs[f"{name}, {MANY} images"] = (*how, [copies[: MANY // 10], copies])
    found = {}
    for name, (backend, precision, lists) in runs.items():
        words = {"predictor": [str(bundle.folder), str(weights), backend, precision], "out": str(folder / "out")}
        words |= {"images": lists, "threads": torch.get_num_threads()}
        command = [sys.executable, "-W", "ignore", "-c", MEMORY, json.dumps(words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, *peaks = json.loads(done.stdout.splitlines()[-1])
        row = {"imports_mib": before, "peak_mib": peaks[-1], "above_imports_mib": peaks[-1] - before}
        found[f"Predictor, {name}"] = row | ({"grown_mib": peaks[-1] - peaks[0]} if len(peaks) > 1 else {})
    return {"rows": found}
