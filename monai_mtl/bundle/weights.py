"""Weights as files: read without running code, and shipped small with what they depend on."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..data.hashes import file_sha256
from ..errors import ConfigError, MissingError

__all__ = ["read_tensors", "read_weights", "ship_weights"]

SETTINGS = "settings"
FACTS = "facts"
"""The one key of the metadata of a safetensors file: their order changes from run to run."""
SOURCE = "source_sha256"
OTHER = "name another file, or copy it again from where it came"


def read_weights(path: PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and the settings they depend on.

    Args:
        path: ``*.safetensors``, or any other name for a file of ``torch.save``: ``{"model": state_dict,
            "settings": ...}`` or a bare state dict.

    Raises:
        MissingError: If there is no such file.
        ConfigError: If it is damaged or holds no tensors by name, or is a safetensors file that was made from another
            file than the one of its name beside it: the training has gone on since.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingError(f"no weights at {file}", fix="train first, or name another file")
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt") as opened:
                facts = json.loads((opened.metadata() or {}).get(FACTS, "{}"))
                state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (not a dict)
        except (RuntimeError, OSError, ValueError, SafetensorError) as error:
            raise ConfigError(f"{file} holds no weights: {str(error)[:200]}", fix=OTHER) from error
        _refuse_stale(file, facts.get(SOURCE))
        return state, facts.get(SETTINGS, {})
    content = read_tensors(file)
    found = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ConfigError(f"{file} holds no weights by name", fix="name another file")
    return found, content.get(SETTINGS, {}) if found is not content else {}


def read_tensors(path: PathLike) -> Any:
    """Content of a file of ``torch.save`` that holds tensors and plain values alone, after its checksums were compared.

    Args:
        path: File.

    Raises:
        ConfigError: If it is damaged, or another kind of file.
    """
    try:
        damaged = _damaged(path)
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its message tells how to run code from the file
        what = f"{path} holds no weights: it is no file of torch.save, or holds more than tensors and plain values"
        raise ConfigError(what, fix=OTHER) from error
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} holds no weights: {str(error).partition('. ')[0][:200]}", fix=OTHER) from error
    if damaged:
        raise ConfigError(f"{path} is damaged: wrong checksum of {damaged}", fix=OTHER)
    return content


def _damaged(path: PathLike) -> str | None:
    """The first part of an archive whose checksum is wrong, which ``torch.load`` would not notice."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def _refuse_stale(file: Path, source: str | None) -> None:
    origin = file.with_suffix(".pt")
    if source is not None and origin.is_file() and file_sha256(origin) != source:
        raise ConfigError(
            f"{file} is older than {origin.name}: it was made from other weights",
            expected=f"sha256 {source} of {origin.name}",
            fix=f"load {origin.name}, or make the file again from it",
        )


def ship_weights(source: PathLike, target: PathLike, provenance: Mapping[str, Any]) -> None:
    """Half the size of a training's weights for the repository: float16, in the safetensors format.

    Weights of layers, not the vectors of normalisation, are first rounded to what bfloat16 holds: a processor that
    rounds them so while it runs then answers nearly as one that computes in float32. Vectors that float16 cannot hold,
    such as variances of what pixels from 0 to 255 become, stay in float32.
    The file records the settings, the digest of ``source`` and the provenance. It is written whole or not at all,
    and the same source and provenance give the same bytes.

    Args:
        source: ``model.pt`` of a training.
        target: File to write.
        provenance: Plain values: which data, how many cases, which versions.

    Raises:
        ConfigError: If a weight is too large for float16.
    """
    state, settings = read_weights(source)
    small = {name: _small(value) if value.is_floating_point() else value for name, value in state.items()}
    large = [name for name, value in small.items() if not bool(torch.isfinite(value).all())]
    if large:
        raise ConfigError(f"{source} does not fit float16", large, fix="ship the weights as they are")
    facts = {SETTINGS: settings, **provenance, SOURCE: file_sha256(source)}
    metadata = {FACTS: json.dumps(facts, sort_keys=True)}
    content = save({name: value.contiguous() for name, value in small.items()}, metadata)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(target).with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(target)


def _small(value: Tensor) -> Tensor:
    if value.dim() > 1:
        return value.bfloat16().half()
    return value.half() if bool(torch.isfinite(value.half()).all()) else value.float()
