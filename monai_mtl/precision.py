"""One setting for how numbers are held while a network runs, on any device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from .errors import ConfigError
from .memory import keep_free_memory

__all__ = ["PRECISIONS", "Precision", "bf16_units"]

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
ROUNDED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
"""Layers that autocasting runs in the chosen type as a whole."""


def bf16_units() -> bool:
    """Whether this processor computes in bfloat16; without such units bfloat16 is emulated and slower than float32."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


class Precision:
    """What ``precision`` means on a device.

    ``auto`` is bfloat16 where the device has units for it, else float16 on a GPU and float32 on a CPU. Weights,
    losses and outputs stay float32; only the layers inside run in the chosen type. MONAI's own ``amp`` is for
    GPUs alone; it is needed for float16, whose gradients must be scaled.

    Args:
        name: One of ``auto``, ``fp32``, ``bf16``, ``fp16``.
        device: Where the network runs.
        compile: Whether :meth:`place` compiles the network; it takes minutes before the first step, so it is
            worth it for long runs only.

    Raises:
        ConfigError: If the name is unknown, there is no such device, or float16 is asked for on a CPU.
    """

    def __init__(self, name: str = "auto", device: torch.device | str = "cpu", compile: bool = False) -> None:
        if name not in PRECISIONS:
            raise ConfigError(f"unknown precision '{name}'", expected=", ".join(PRECISIONS), fix="--precision auto")
        self.device, self.compile = _device(device), compile
        on_gpu = self.device.type == "cuda"
        if name == "fp16" and not on_gpu:
            raise ConfigError("precision fp16 needs a GPU", fix="--precision auto")
        if name == "auto":
            has_units = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else bf16_units()
            name = "bf16" if has_units else "fp16" if on_gpu else "fp32"
        self.name = name

    @property
    def scaler(self) -> bool:
        """Whether gradients must be scaled: the ``amp`` of MONAI's engines."""
        return self.name == "fp16"

    @property
    def dtype(self) -> torch.dtype:
        """Type that the layers run in."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.name]

    def autocast(self) -> AbstractContextManager:
        """Context in which a network runs in the chosen type."""
        return nullcontext() if self.name == "fp32" else torch.autocast(self.device.type, self.dtype)

    def round_weights(self, network: nn.Module) -> nn.Module:
        """Hold the weights of convolutions and linear layers in the chosen type, for inference alone.

        Autocasting rounds the same weights at each call and holds both; the answers are the same bits.

        Args:
            network: With its weights loaded; it then runs inside :meth:`autocast` only.
        """
        for layer in network.modules():
            if type(layer) in ROUNDED:  # a class made from one may use its weights in another way
                layer.to(self.dtype)
        return network

    def place(self, network: nn.Module) -> nn.Module:
        """Bring a network to the device, its weights in the order that convolutions are quickest with.

        On a CPU the process also keeps freed memory for the next layer, see :func:`monai_mtl.memory.keep_free_memory`.

        Args:
            network: Network of 2D convolutions; names and values of its weights stay.
        """
        if self.device.type == "cpu":
            keep_free_memory()
        network.to(self.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.compile:
            network.compile()
        return network


def _device(name: torch.device | str) -> torch.device:
    """The device, if it is here."""
    here = "--device cpu" + (
        f", or --device cuda:0 to cuda:{count - 1}" if (count := torch.cuda.device_count()) else ""
    )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"there is no kind of device '{name}'", expected="cpu, cuda or cuda:0", fix=here) from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < count):
        found = f"{count} here" if torch.cuda.is_available() else "no CUDA GPU that PyTorch can use here"
        raise ConfigError(f"device {name} was asked for, and there is {found}", fix=here)
    return device
