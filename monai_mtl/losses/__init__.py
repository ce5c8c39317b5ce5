"""One file a loss."""

from .binary import BinaryCrossEntropyLoss
from .frequency_weighted import FrequencyWeightedCrossEntropy, class_frequencies
from .hybrid_deep_supervision import HybridDeepSupervisionLoss
from .inverse_frequency import InverseFrequencyCrossEntropy
from .learned_weights import LearnedWeightsLoss
from .multitask import MultiTaskLoss
from .soft_dice import SoftDiceLoss
from .sparse_mil import SparseMILLoss

__all__ = [
    "BinaryCrossEntropyLoss",
    "FrequencyWeightedCrossEntropy",
    "HybridDeepSupervisionLoss",
    "InverseFrequencyCrossEntropy",
    "LearnedWeightsLoss",
    "MultiTaskLoss",
    "SoftDiceLoss",
    "SparseMILLoss",
    "class_frequencies",
]
