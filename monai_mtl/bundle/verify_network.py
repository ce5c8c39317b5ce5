"""Whether a network is what the metadata of its bundle say, by running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .weights import read_weights

__all__ = ["output_faults", "scripting_faults", "weights_faults"]

RENAMED = {"seg": "pred"}
"""By key of the network's output, its name in metadata.json."""


def _image(declared: Mapping[str, Any]) -> Tensor:
    image = declared["inputs"]["image"]
    low, high = image["value_range"] or (0, 1)
    return low + (high - low) * torch.rand(1, image["num_channels"], *image["spatial_shape"])


def output_faults(network: nn.Module, declared: Mapping[str, Any]) -> list[str]:
    """Outputs whose name, shape, type or number of channels is not what the metadata say.

    Args:
        network: In eval mode.
        declared: ``network_data_format`` of metadata.json.
    """
    with torch.inference_mode():
        outputs = {RENAMED.get(name, name): value for name, value in network(_image(declared)).items()}
    wanted = declared["outputs"]
    found = [f"{name} is in metadata.json and no output" for name in wanted if name not in outputs]
    found += [f"{name} is an output and not in metadata.json" for name in outputs if name not in wanted]
    for name, value in outputs.items():
        if name in wanted:
            shape = (1, wanted[name]["num_channels"], *wanted[name]["spatial_shape"])
            if tuple(value.shape) != shape:
                found.append(f"{name} has shape {tuple(value.shape)}, metadata.json says {shape}")
            if str(value.dtype) != f"torch.{wanted[name]['dtype']}":
                found.append(f"{name} is {value.dtype}, metadata.json says {wanted[name]['dtype']}")
    return found


def scripting_faults(network: nn.Module, declared: Mapping[str, Any]) -> list[str]:
    """Outputs that TorchScript computes otherwise.

    Args:
        network: In eval mode.
        declared: As :func:`output_faults` takes it.

    Raises:
        Exception: What scripting raises, if it cannot be scripted.
    """
    image = _image(declared)
    with torch.inference_mode():
        eager, scripted = network(image), torch.jit.script(network)(image)
    return [f"{name} differs" for name, value in eager.items() if not torch.allclose(value, scripted[name], atol=1e-4)]


def weights_faults(network: nn.Module, path: Path) -> list[str]:
    """Weights that do not belong to the network, or are not finite.

    Args:
        network: Network.
        path: File of weights.

    Raises:
        ConfigError: If it holds none.
    """
    state, expected = read_weights(path)[0], network.state_dict()
    found = [f"{name} is missing" for name in expected if name not in state]
    found += [f"{name} is not of this network" for name in state if name not in expected]
    for name, value in state.items():
        if name in expected and value.shape != expected[name].shape:
            found.append(f"{name} has shape {tuple(value.shape)}, the network {tuple(expected[name].shape)}")
        elif value.is_floating_point() and not bool(torch.isfinite(value).all()):
            found.append(f"{name} is not finite")
    return found
