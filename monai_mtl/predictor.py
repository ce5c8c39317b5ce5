"""A bundle's inference in a program of one's own: made ready once, run on any number of images."""

from __future__ import annotations

import copy
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import torch
from monai.config import PathLike
from monai.data import decollate_batch, list_data_collate
from monai.engines.utils import engine_apply_transform
from monai.utils import TraceKeys

from .bundle.export import ExportedNetwork, find_export
from .bundle.export.record import network_settings
from .bundle.manifest import MANIFEST
from .bundle.occupied_folder import OccupiedFolder
from .bundle.opening import component, open_bundle, start_handlers
from .bundle.settings import did_you_mean
from .data import list_images
from .data.naming import called
from .errors import ConfigError, MonaiMtlError, own_error
from .handlers import PredictionWriter
from .memory import release_free_memory
from .precision import Precision, bf16_units

__all__ = ["Predictor"]

logger = logging.getLogger("monai_mtl")

BACKENDS = ("torch", "onnx", "openvino")
WRITES_WAITING = 2
"""Answers that may wait to be written; more would only fill the memory."""
Given = TypeVar("Given")
Made = TypeVar("Made")
Step = tuple[dict, Any]
"""A case and what became of it so far: a prepared image, an answer or an error of ours."""


class Predictor:
    """Runs a bundle's inference.json; the network and its weights are loaded once.

    While the network works on one image, the next ones are read and prepared and the last ones are written, in threads.
    Preprocessing, inferer, postprocessing and writer are those of the config, so that the files are those of
    ``python -m monai.bundle run``.

    Args:
        bundle: Folder of the bundle.
        weights: Weights file; ``checkpoint`` of the config by default.
        backend: ``"torch"``; or ``"onnx"`` or ``"openvino"``, on the CPU, from a judged export beside the weights.
        precision: As in the config. For OpenVINO ``"fp32"``, ``"bf16"`` or ``"int8"``; ``"auto"`` is then bf16 where
            the processor has units for it.
        readers: Threads that read and prepare images.
        recipe: Overlay on inference.json, a name in the bundle's ``configs/`` such as ``"shipped_inference"``.
        **settings: Overrides of inference.json, such as ``image_size``.

    Raises:
        ConfigError: If a setting does not exist or fit, the bundle is packed, or the config has no one writer.
        MissingError: If there is no such bundle, weights file or export.

    Example:
        >>> from monai_mtl.predictor import Predictor
        >>> Predictor("bundles/hds_inbreast", backend="abacus")
        Traceback (most recent call last):
        monai_mtl.errors.ConfigError: unknown backend 'abacus'
          expected: torch, onnx, openvino
          fix: name one of these
    """

    def __init__(
        self,
        bundle: PathLike,
        weights: PathLike | None = None,
        backend: str = "torch",
        precision: str = "auto",
        readers: int = 2,
        recipe: str | None = None,
        **settings: Any,
    ) -> None:
        if backend not in BACKENDS:
            fix = did_you_mean(backend, BACKENDS) or "name one of these"
            raise ConfigError(f"unknown backend '{backend}'", expected=", ".join(BACKENDS), fix=fix)
        if readers < 1:
            raise ConfigError(f"{readers} readers read nothing", expected="1 or more", fix="readers=1")
        self.readers = readers
        exported = backend != "torch"
        given = dict(settings) if weights is None else {**settings, "checkpoint": str(weights)}
        given |= {"precision": "fp32", "device": "cpu"} if exported else {"precision": precision}
        configs = ["inference.json", *([f"{recipe}.json"] if recipe else [])]
        parser = open_bundle(bundle, configs, {**given, "dataset#data": []})
        if (Path(bundle) / MANIFEST).is_file():
            raise ConfigError(
                f"{bundle} is packed: it runs with its own code",
                fix="in its folder: "
                "python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES",
            )
        self.dataset, self._inferer, self._postprocessing, self.network, handlers = (
            component(parser, key) for key in ("dataset", "inferer", "postprocessing", "network", "handlers")
        )
        self.device = torch.device(component(parser, "device"))
        writers = [handler for handler in handlers if isinstance(handler, PredictionWriter)]
        if len(writers) != 1:
            what = f"{len(writers)} handlers of {bundle} write predictions"
            raise ConfigError(what, expected="one PredictionWriter", fix="correct handlers in inference.json")
        self._writer = writers[0]
        self._writer.page.device = str(self.device)
        start_handlers(handler for handler in handlers if handler is not self._writer)
        self.network.eval()
        if exported:
            if precision == "auto":
                precision = "bf16" if backend == "openvino" and bf16_units() else "fp32"
            file = find_export(self._writer.weights, network_settings(parser), backend, precision)
            self.network = ExportedNetwork(file, precision)
            self._writer.computed_with = {"backend": f"{backend} {self.network.version}", "precision": precision}
        elif isinstance(numerics := getattr(self._inferer, "precision", None), Precision):
            numerics.round_weights(self.network)  # the inferer casts to that type at each call
        # A transform traces nothing while its inverse runs, in another thread; so a copy prepares, whose traces are
        # then written as the original's.
        copies: dict[int, Any] = {}
        self._preprocessing = copy.deepcopy(self.dataset.transform, copies)
        self._original = {id(made): original for original, made in copies.items()}
        release_free_memory()  # of the weights as they were read

    def run(self, images: PathLike | Sequence[PathLike], output_dir: PathLike) -> dict[str, Any]:
        """Predict images; a bad one stops no other and is listed at the end.

        Args:
            images: A file, a folder, or several files.
            output_dir: Folder to write to.

        Returns:
            The content of ``results.json``: ``results`` and ``failed``, in the order of the images.

        Raises:
            MissingError: If there is no such file or folder.
            DataError: If a folder holds no image.
            ConfigError: If another run is writing to the folder.
            RunError: If no image could be used.
        """
        cases = list_images(images)
        self.dataset.data, faults = cases, {}
        self._writer.output_dir = Path(output_dir)
        with OccupiedFolder(output_dir):
            self._writer.begin()
            with ThreadPoolExecutor(self.readers) as reading, ThreadPoolExecutor(1) as writing:
                prepared = _ahead(reading, self._prepare, cases, self.readers + 1)
                for case, found in _ahead(writing, self._write, map(self._answer, prepared), WRITES_WAITING):
                    if isinstance(found, MonaiMtlError):
                        faults[case["case_id"]] = found
            self.dataset.faults = faults
            summary = self._writer.finish()
        if not summary["results"]:
            raise self._writer.failure()
        if summary["failed"]:
            logger.error("%s", self._writer.failure())
        return summary

    def _prepare(self, case: dict) -> Step:
        with called(case["case_id"]):
            prepared = _or_error(lambda: self._preprocessing(case))
        if isinstance(prepared, dict):
            for value in prepared.values():
                for operation in getattr(value, "applied_operations", ()):
                    self._trace_original(operation)
        return case, prepared

    def _trace_original(self, operation: dict) -> None:
        for key, value in operation.items():
            if key == TraceKeys.ID:
                operation[key] = self._original.get(value, value)
            elif isinstance(value, dict):
                self._trace_original(value)

    @torch.inference_mode()
    def _answer(self, step: Step) -> Step:
        case, prepared = step
        if isinstance(prepared, MonaiMtlError):
            return step
        batch = list_data_collate([prepared])
        image = batch["image"].to(self.device)
        output = {"image": image, "pred": self._inferer(image, self.network)}
        if self.device.type == "cpu":
            release_free_memory()
        return case, (decollate_batch(batch)[0], decollate_batch(output)[0])

    @torch.inference_mode()
    def _write(self, step: Step) -> Step:
        case, answer = step
        if isinstance(answer, MonaiMtlError):
            return step
        done = engine_apply_transform(answer[0], answer[1], self._postprocessing)
        return case, _or_error(lambda: self._writer.write(*done))


def _or_error(function: Callable[[], Made]) -> Made | MonaiMtlError:
    """What the function gives, or the error of ours that it ended with."""
    try:
        return function()
    except (RuntimeError, ValueError, OSError) as error:
        fault = own_error(error)
        if fault is None:
            raise
        return fault


def _ahead(pool: Executor, function: Callable[[Given], Made], items: Iterable[Given], count: int) -> Iterator[Made]:
    """Results in order; never more than ``count`` in the making or waiting."""
    waiting: deque[Future[Made]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
