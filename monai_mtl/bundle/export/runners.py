"""Exported networks, called like the ones they came from.

Shapes: B batch, C channels, H W pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from torch import Tensor

from ...errors import ConfigError, MissingError
from ...precision import bf16_units
from .extras import need

__all__ = ["BACKENDS", "ExportedNetwork", "require_precision"]

BACKENDS = {"onnx": ("fp32",), "openvino": ("fp32", "bf16", "int8")}
"""Precisions by backend."""
SUFFIXES = {".onnx": "onnx", ".xml": "openvino"}
SIZES_KEPT = 2
"""Image sizes that OpenVINO keeps a compiled network for; one for each size is a fifth quicker than one for all."""


def require_precision(backend: str, precision: str) -> None:
    """Refuse what a backend, or this processor, has not.

    Raises:
        ConfigError: If the backend or the precision is unknown, or bfloat16 would be emulated.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'", expected=", ".join(BACKENDS), fix="use one of these")
    if precision not in BACKENDS[backend]:
        expected = ", ".join(BACKENDS[backend])
        raise ConfigError(f"{backend} has no precision '{precision}'", expected=expected, fix="use one of these")
    if precision == "bf16" and not bf16_units():
        raise ConfigError("this processor has no units for bf16", fix="use fp32")


class ExportedNetwork:
    """An ONNX or OpenVINO file that takes an image and gives the outputs of the network by name.

    Args:
        path: ``.onnx`` or ``.xml``.
        precision: ``"fp32"``, ``"bf16"`` or ``"int8"``; the first two are a choice of how to run the same file.
        threads: Threads for one image; those of torch by default.

    Raises:
        ConfigError: If the file is of another kind, or this processor or the extra that runs it is missing.
        MissingError: If there is no such file.
    """

    def __init__(self, path: PathLike, precision: str = "fp32", threads: int | None = None) -> None:
        self.path, self.precision = Path(path), precision
        if self.path.suffix not in SUFFIXES:
            fix = "name the file that monai-mtl export wrote"
            raise ConfigError(f"{self.path.name} is no exported network", expected=" or ".join(SUFFIXES), fix=fix)
        if not self.path.is_file():
            raise MissingError(f"no exported network at {self.path}", fix="export it first")
        self.backend = SUFFIXES[self.path.suffix]
        require_precision(self.backend, precision)
        self._threads = threads or torch.get_num_threads()
        self._runtime = need("onnxruntime" if self.backend == "onnx" else "openvino")
        if self.backend == "onnx":
            options = self._runtime.SessionOptions()
            options.intra_op_num_threads = self._threads
            providers = ["CPUExecutionProvider"]
            self._session = self._runtime.InferenceSession(str(self.path), options, providers=providers)
            self.outputs = [output.name for output in self._session.get_outputs()]
        else:
            self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()
            self._core = self._runtime.Core()
            self.outputs = [output.get_any_name() for output in self._core.read_model(self.path).outputs]

    @property
    def version(self) -> str:
        """Of the program that runs it."""
        return str(self._runtime.__version__)

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Run.

        Args:
            image: ``(B, C, H, W)``, float32, on the CPU.

        Returns:
            Outputs by name, float32.
        """
        array = image.detach().contiguous().numpy()
        if self.backend == "onnx":
            values = self._session.run(None, {"image": array})
        else:
            request = self._request(tuple(array.shape))
            request.infer([array])
            # The request writes its next answer to the same memory.
            values = [request.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]
        return {name: torch.from_numpy(value) for name, value in zip(self.outputs, values, strict=True)}

    def _request(self, shape: tuple[int, ...]) -> Any:
        """What runs images of this shape; made at the first one."""
        if shape not in self._compiled:
            model = self._core.read_model(self.path)
            model.reshape(list(shape))
            hint = "bf16" if self.precision == "bf16" else "f32"
            options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": self._threads}
            self._compiled[shape] = self._core.compile_model(model, "CPU", options).create_infer_request()
        self._compiled.move_to_end(shape)
        while len(self._compiled) > SIZES_KEPT:
            self._compiled.popitem(last=False)
        return self._compiled[shape]
