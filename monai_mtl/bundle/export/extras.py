"""Packages that exporting needs and the base install does not have."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ...errors import ConfigError

__all__ = ["need"]

EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "openvino": "openvino", "nncf": "openvino"}
"""Extra of this package by module."""


def need(name: str) -> Any:
    """Import a module of an extra.

    Importing OpenVINO or NNCF sends usage statistics to their makers, unless the package that sends them is
    missing. A program that holds images of patients has no such connections, so it is missing here.

    Args:
        name: Module.

    Raises:
        ConfigError: If the package is not installed.
    """
    extra = EXTRAS[name.partition(".")[0]]
    if extra == "openvino":
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"{name} is not installed", fix=f"pip install 'monai-mtl[{extra}]'") from error
