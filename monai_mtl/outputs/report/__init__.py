"""The report of an evaluation: one page that opens anywhere, offline, and the same for programs."""

from .page import write_report

__all__ = ["write_report"]
