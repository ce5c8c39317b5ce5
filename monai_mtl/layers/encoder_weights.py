"""Weights of a ResNet encoder from a file on this machine, under the names that torchvision and timm share.

Nothing is downloaded, neither package is imported, and no code from a file is run.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import DataError, MissingError

__all__ = ["LocalEncoderWeights", "load_resnet_weights", "read_weights"]

_WRAPPERS = ("state_dict", "model", "model_state_dict")


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
            content = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, SafetensorError) as error:
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


class LocalEncoderWeights(nn.Module):
    """For a network whose ``encoder`` is a ResNet: it can start from weights of a file."""

    def load_encoder(self, path: PathLike) -> None:
        """Start the encoder from weights of a classification ResNet, for instance trained on ImageNet.

        Args:
            path: Local ``*.safetensors`` or ``torch.save`` file with the names of torchvision or timm, which are the
                same. Nothing is ever downloaded.

        Raises:
            MissingError: If there is no such file.
            DataError: If it does not hold the weights of a ResNet of this depth.
        """
        load_resnet_weights(self.get_submodule("encoder"), read_weights(path), source=Path(path).name)
