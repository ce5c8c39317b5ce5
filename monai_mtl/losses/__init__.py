"""One file a loss."""

from .binary import BinaryCrossEntropyLoss
from .focal import focal_cost
from .frequency_weighted import FrequencyWeightedCrossEntropy, class_frequencies
from .hybrid_deep_supervision import HybridDeepSupervisionLoss
from .inverse_frequency import InverseFrequencyCrossEntropy
from .jaccard import jaccard_distance
from .learned_weights import LearnedWeightsLoss
from .lesion_rcnn import LesionRCNNLoss
from .multitask import MultiTaskLoss
from .soft_dice import SoftDiceLoss
from .sparse_mil import SparseMILLoss

__all__ = [
    "BinaryCrossEntropyLoss",
    "FrequencyWeightedCrossEntropy",
    "HybridDeepSupervisionLoss",
    "InverseFrequencyCrossEntropy",
    "LearnedWeightsLoss",
    "LesionRCNNLoss",
    "MultiTaskLoss",
    "SoftDiceLoss",
    "SparseMILLoss",
    "class_frequencies",
    "focal_cost",
    "jaccard_distance",
]
