"""What drives an iteration of MONAI's engines."""

from .prepare_batch import PrepareMultiTaskBatch

__all__ = ["PrepareMultiTaskBatch"]
