"""What drives an iteration of MONAI's engines."""

from ..precision import Precision, bf16_units
from .prepare_batch import PrepareMultiTaskBatch

__all__ = ["Precision", "PrepareMultiTaskBatch", "bf16_units"]
