"""What lies beside an exported network: of which weights it is, and how it was judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.config import PathLike

from ...data.hashes import file_sha256
from ...errors import ConfigError, MissingError
from ...outputs.result_json import software_versions, write_json
from .runners import SUFFIXES, require_precision

__all__ = ["export_path", "find_export", "network_settings", "write_record"]

PARTS = {".onnx": (".onnx",), ".xml": (".xml", ".bin")}


def export_path(weights: PathLike, backend: str, precision: str = "fp32") -> Path:
    """Where the export of a weights file lies: beside it, such as ``model_onnx_fp32.onnx``.

    Args:
        weights: Weights file.
        backend: ``"onnx"`` or ``"openvino"``.
        precision: One that the backend has.

    Raises:
        ConfigError: If backend and precision do not exist here.
    """
    require_precision(backend, precision)
    suffix = next(suffix for suffix, name in SUFFIXES.items() if name == backend)
    weights = Path(weights)
    return weights.with_name(f"{weights.stem}_{backend}_{precision}{suffix}")


def network_settings(parser: ConfigParser) -> dict[str, Any]:
    """``network_def`` of a config with its references resolved.

    Args:
        parser: Of the config.
    """
    own = ConfigParser(parser.get())
    # One by one: what they refer to, such as the names of classes, is then made, and the network is not.
    content = {name: own.get_parsed_content(f"network_def#{name}") for name in own.get("network_def")}
    return json.loads(json.dumps(content))


def write_record(export: Path, weights: Path, network: Mapping[str, Any], judged: Mapping[str, Any]) -> None:
    """Write the JSON beside an export; without it nothing runs the export.

    Args:
        export: From :func:`export_path`.
        weights: Weights file.
        network: From :func:`network_settings`.
        judged: From :func:`monai_mtl.bundle.export.require_agreement`.
    """
    content = {"weights_sha256": file_sha256(weights), "network_def": network, "files": _digests(export)}
    write_json(_record(export), {**content, "gate": judged, "software": software_versions()})


def find_export(weights: PathLike, network: Mapping[str, Any], backend: str, precision: str = "fp32") -> Path:
    """The export of a weights file, if it was judged and nothing has changed since.

    Args:
        weights: Weights file.
        network: ``network_def`` that the weights are used with.
        backend: As in :func:`export_path`.
        precision: As there.

    Returns:
        The file.

    Raises:
        MissingError: If there is none.
        ConfigError: If it is of other weights or settings, or was changed.
    """
    path, weights = export_path(weights, backend, precision), Path(weights)
    fix = f"monai-mtl export BUNDLE --backend {backend} --precision {precision} --data FOLDER"
    if not _record(path).is_file() or not all(part.is_file() for part in _parts(path)):
        raise MissingError(f"no judged export at {path}", fix=fix)
    record = json.loads(_record(path).read_text())
    if record["weights_sha256"] != file_sha256(weights):
        raise ConfigError(f"{path} was made from other weights than {weights.name}", fix=fix)
    if record["network_def"] != json.loads(json.dumps(network)):
        raise ConfigError(f"{path} was made with another network_def", fix=fix)
    if record["files"] != _digests(path):
        raise ConfigError(f"{path} is not the file that was judged", fix=fix)
    return path


def _record(export: Path) -> Path:
    return export.with_suffix(".json")


def _parts(export: Path) -> list[Path]:
    return [export.with_suffix(suffix) for suffix in PARTS[export.suffix]]


def _digests(export: Path) -> dict[str, str]:
    return {part.name: file_sha256(part) for part in _parts(export)}
