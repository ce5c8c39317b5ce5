"""Networks outside of torch: written as ONNX or OpenVINO, held against the original, run again."""

from .convert import export_onnx, export_openvino
from .gate import GATE_IMAGES, LARGEST_METRIC_CHANGE, LARGEST_PROBABILITY_CHANGE, require_agreement
from .record import export_path, find_export
from .runners import ExportedNetwork

__all__ = [
    "GATE_IMAGES",
    "LARGEST_METRIC_CHANGE",
    "LARGEST_PROBABILITY_CHANGE",
    "ExportedNetwork",
    "export_onnx",
    "export_openvino",
    "export_path",
    "find_export",
    "require_agreement",
]
