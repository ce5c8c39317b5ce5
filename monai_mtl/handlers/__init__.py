"""What a config names as handler."""

from .checkpoint import SaveBest, SaveLast, WeightsLoader
from .evaluation_report import EvaluationReport
from .prediction_writer import PredictionWriter
from .progress import TrainingProgress, ValidationSummary
from .training_state import ImageStatistics, LossEpoch

__all__ = [
    "EvaluationReport",
    "ImageStatistics",
    "LossEpoch",
    "PredictionWriter",
    "SaveBest",
    "SaveLast",
    "TrainingProgress",
    "ValidationSummary",
    "WeightsLoader",
]
