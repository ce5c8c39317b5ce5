"""What a config names as inferer."""

from .multitask import MultiTaskInferer

__all__ = ["MultiTaskInferer"]
