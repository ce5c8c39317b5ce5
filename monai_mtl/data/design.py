"""A text that is the same for networks, losses, optimisers and schedules that were set up in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from .describe import digest_of

__all__ = ["design_of"]

INSIDE = {*vars(nn.Module()), "_compiled_call_impl"}
"""Attributes of every module, which say nothing about this one."""


def design_of(value: Any) -> str:
    """SHA-256 of how a part of a training was set up, without what is drawn or learned.

    Settings and buffers count, parameters by their shapes alone; of an optimiser the settings of its groups. So it
    does not depend on seed, device or epoch, and a batch normalisation of one process is that of several.

    Args:
        value: A network, loss, optimiser or schedule, fresh from its config.
    """
    return digest_of(_design(value))


def _design(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _design(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_design(item) for item in value]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Optimizer):
        return {"class": kind, "groups": [_group(group) for group in value.param_groups]}
    if isinstance(value, LRScheduler):
        return {"class": kind} | _design({key: item for key, item in vars(value).items() if key != "optimizer"})
    if not isinstance(value, nn.Module):
        return value
    settings = {key: item for key, item in vars(value).items() if key not in INSIDE}
    if isinstance(value, _BatchNorm):
        kind = "batch normalisation"
        settings.pop("process_group", None)
    return {
        "class": kind,
        "settings": _design(settings),
        "parameters": {name: list(one.shape) for name, one in value.named_parameters(recurse=False)},
        "buffers": dict(value.named_buffers(recurse=False)),
        "modules": {name: _design(module) for name, module in value.named_children()},
    }


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a group; its learning rate before a schedule changed it."""
    settings = {key: item for key, item in group.items() if key not in ("params", "initial_lr")}
    shapes = [list(one.shape) for one in group["params"]]
    return settings | {"lr": group.get("initial_lr", group["lr"]), "shapes": shapes}
