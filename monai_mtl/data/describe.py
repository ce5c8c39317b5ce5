"""A text that is the same for equal transforms and settings in any process, for keys of caches and of runs."""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["describe", "digest_of"]

STATE = (np.random.RandomState, torch.Generator, threading.local)
"""What an object draws from, and what MONAI's transforms get when they first run, say nothing about what it is."""


def digest_of(value: Any) -> str:
    """SHA-256 of :func:`describe`.

    Args:
        value: Transforms, networks, numbers, texts and containers of them.
    """
    return hashlib.sha256(json.dumps(describe(value), sort_keys=True).encode()).hexdigest()


def describe(value: Any) -> Any:
    """What a value is, as plain JSON: a class by its name and its attributes.

    Args:
        value: As for :func:`digest_of`. Arrays are told by their digest, functions by their name.
    """
    return _describe(value, ())


def _describe(value: Any, above: tuple[int, ...]) -> Any:
    if id(value) in above:
        return "above"
    inside = (*above, id(value))
    if value is None or (isinstance(value, (bool, int, float, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _describe(value[key], inside) for key in sorted(value, key=str)}
    if isinstance(value, (set, frozenset)):
        return sorted((_describe(item, inside) for item in value), key=str)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_describe(item, inside) for item in value]
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        array = np.ascontiguousarray(value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if inspect.isroutine(value) or isinstance(value, (type, Enum, Path, torch.dtype, torch.device, bytes)):
        return getattr(value, "__qualname__", None) or str(value)
    attributes = vars(value) if hasattr(value, "__dict__") else {}
    if isinstance(value, nn.Module):
        attributes = {"state": dict(value.state_dict()), "arguments": value.extra_repr()}
    kept = {name: item for name, item in attributes.items() if not isinstance(item, STATE)}
    kind = type(value)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **_describe(kept, inside)}
