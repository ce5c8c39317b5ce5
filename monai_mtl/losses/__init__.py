"""One file a loss."""

from .hybrid_deep_supervision import HybridDeepSupervisionLoss
from .sparse_mil import SparseMILLoss

__all__ = ["HybridDeepSupervisionLoss", "SparseMILLoss"]
