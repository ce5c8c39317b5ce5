"""Metrics that say how many cases they stand on and why they are undefined."""

from .case_scores import CaseScores, CaseTable, score_case
from .class_scores import score_classes
from .classification import ROCAUC, Accuracy, BreastROCAUC
from .comparison import nan_is_worst
from .detection import BoxAveragePrecision, BoxIoU
from .image_measures import calibration_bins
from .intervals import measure_all, paired_difference
from .isic_measures import ISIC
from .lesion_measures import froc_curve
from .measure import Measure, Measured
from .measures import ACSNET_PAPER, BREASTS, CLEAN, CLEAN_CLASSES, FCN_PAPER, HDS_PAPER, MEASURE_SETS, YNET_PAPER
from .segmentation import LesionClassDice, LesionDice, MeanIoU, PixelAccuracy

__all__ = [
    "ACSNET_PAPER",
    "BREASTS",
    "CLEAN",
    "CLEAN_CLASSES",
    "FCN_PAPER",
    "HDS_PAPER",
    "ISIC",
    "MEASURE_SETS",
    "ROCAUC",
    "YNET_PAPER",
    "Accuracy",
    "BoxAveragePrecision",
    "BoxIoU",
    "BreastROCAUC",
    "CaseScores",
    "CaseTable",
    "LesionClassDice",
    "LesionDice",
    "MeanIoU",
    "Measure",
    "Measured",
    "PixelAccuracy",
    "calibration_bins",
    "froc_curve",
    "measure_all",
    "nan_is_worst",
    "paired_difference",
    "score_case",
    "score_classes",
]
