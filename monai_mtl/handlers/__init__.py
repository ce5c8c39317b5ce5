"""What a config names as handler."""

from .checkpoint import SaveBest
from .detection_report import DetectionReport
from .detections import DetectionCount
from .evaluation_report import EvaluationReport
from .guards import FiniteGradients
from .lesion_class_report import LesionClassReport
from .phases import ClipGradients, TrainingPhases
from .prediction_writer import PredictionWriter
from .progress import TrainingProgress, ValidationSummary
from .region_report import RegionReport
from .region_writer import RegionWriter
from .repeatability import Reseed
from .resume import SaveLast
from .training_log import TrainingLog
from .training_state import ImageStatistics, LossEpoch
from .weights_loader import StrictCheckpointLoader, WeightsLoader

__all__ = [
    "ClipGradients",
    "DetectionCount",
    "DetectionReport",
    "EvaluationReport",
    "FiniteGradients",
    "ImageStatistics",
    "LesionClassReport",
    "LossEpoch",
    "PredictionWriter",
    "RegionReport",
    "RegionWriter",
    "Reseed",
    "SaveBest",
    "SaveLast",
    "StrictCheckpointLoader",
    "TrainingLog",
    "TrainingPhases",
    "TrainingProgress",
    "ValidationSummary",
    "WeightsLoader",
]
