"""Weights of a ResNet encoder from a file on this machine, under the names that torchvision and timm share.

Nothing is downloaded, neither package is imported, and no code from a file is run.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from torch import Tensor, nn

from ..errors import DataError, MissingError

__all__ = ["load_resnet_weights", "read_weights"]

_WRAPPERS = ("state_dict", "model", "model_state_dict")

_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_TYPES |= {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file: length of the header, the header in JSON, then the numbers."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError("its header is cut off")
    header = json.loads(content[8 : 8 + length])
    body = content[8 + length :]
    if not isinstance(header, dict):
        raise ValueError("its header names no tensors")
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape, (begin, end) = _TYPES[entry["dtype"]], list(entry["shape"]), entry["data_offsets"]
        if not 0 <= begin <= end <= len(body) or end - begin != math.prod(shape) * kind.itemsize:
            raise ValueError(f"'{name}' does not lie in it")
        # A copy of its own: aligned, and writable.
        state[name] = torch.frombuffer(bytearray(body[begin:end]), dtype=kind) if end > begin else torch.empty(0)
        state[name] = state[name].to(kind).reshape(shape)
    return state


def read_weights(path: PathLike) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file or one of ``torch.save``, loaded without running code.

    Args:
        path: ``*.safetensors``, or any other name for ``torch.save``: a state dict, bare or under ``state_dict``,
            ``model`` or ``model_state_dict``.

    Raises:
        MissingError: If there is no such file.
        DataError: If it holds no tensors by name.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingError(f"no weights at {file}", fix="download them yourself and name the file")
    content: Any
    try:
        if file.suffix == ".safetensors":
            content = _read_safetensors(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} holds no weights: {str(error)[:200]}", fix="name another file") from error
    if isinstance(content, dict):
        content = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), dict)), content)
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(f"{file} holds no weights by name", fix="save network.state_dict()")
    return content


def load_resnet_weights(encoder: nn.Module, weights: Mapping[str, Tensor], source: str = "the file") -> None:
    """Put the weights of a classification ResNet into an encoder that has no classifier.

    A leading ``module.`` and the classifier ``fc`` are dropped. An encoder for one channel takes the sum over the
    input channels of the first convolution: what the full one computes on a grey image shown in every channel.

    Args:
        encoder: Network with torchvision's names: ``conv1``, ``bn1``, ``layer1`` to ``layer4``.
        weights: Weights by name.
        source: What to call them in an error.

    Raises:
        DataError: If a name or a shape does not fit.
    """
    state = {name.removeprefix("module."): value for name, value in weights.items()}
    state = {name: value for name, value in state.items() if not name.startswith("fc.")}
    expected = encoder.state_dict()
    first, own = state.get("conv1.weight"), expected["conv1.weight"]
    if first is not None and first.ndim == 4 and own.shape[1] == 1:
        state["conv1.weight"] = first.sum(dim=1, keepdim=True)
    # How many batches were seen is told by newer files only, and changes no output.
    counters = {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    state = {**counters, **state}
    wrong = [f"missing {name}" for name in expected if name not in state]
    wrong += [f"unknown {name}" for name in state if name not in expected]
    wrong += [
        f"{name}: {tuple(state[name].shape)}, encoder {tuple(value.shape)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    if wrong:
        fix = "give the weights of a ResNet of the encoder's depth, with the names of torchvision or timm"
        raise DataError(f"{source} does not fit the encoder", wrong, fix=fix)
    encoder.load_state_dict(state)
