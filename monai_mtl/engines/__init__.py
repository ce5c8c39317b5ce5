"""What drives an iteration of MONAI's engines."""

from ..precision import Precision, bf16_units
from .prepare_batch import PrepareMultiTaskBatch, PrepareTargetsBatch

__all__ = ["Precision", "PrepareMultiTaskBatch", "PrepareTargetsBatch", "bf16_units"]
