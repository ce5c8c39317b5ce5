"""Weights by name, an image and boxes: the same wherever they are made."""

from __future__ import annotations

import math
from zlib import crc32

import numpy as np
import torch

IMAGE = np.random.RandomState(7).standard_normal((1, 3, 128, 192)).astype(np.float32)
_corner = np.random.RandomState(8).uniform(-10, 150, (12, 2))
BOXES = np.column_stack([_corner, _corner + np.random.RandomState(9).uniform(5, 500, (12, 2))]).astype(np.float32)


def fixed_weights(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights as tests/data/README.md tells for the other references; a layer's output keeps about its input's size."""
    random = np.random.RandomState(crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        return torch.from_numpy(1 + 0.2 * np.abs(random))
    if len(shape) >= 2:
        return torch.from_numpy(random * math.sqrt(2 / math.prod(shape[1:])))
    if name.endswith("running_mean") or not name.endswith("weight"):
        return torch.from_numpy(0.1 * random)
    return torch.from_numpy(1 + 0.1 * random)
