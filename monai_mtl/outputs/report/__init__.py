"""The report of an evaluation or an inference: one page that opens anywhere, offline, and the same for programs."""

from .inference import write_inference_report
from .page import write_report

__all__ = ["write_inference_report", "write_report"]
