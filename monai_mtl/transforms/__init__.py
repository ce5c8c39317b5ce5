"""MONAI dictionary transforms of our own; everything else is MONAI's."""

from .balanced_crop import RandBalancedCropd
from .box_result import BoxResultd
from .breast_crop import BreastForeground
from .explanation import ExplanationMapd
from .intensity import NormalizeForegroundd, ScaleTo8Bitd
from .load_mask import LoadMaskd
from .region_result import MaskFromLogitsd, RegionResultd
from .resize import SeparableResize, SeparableResized
from .results import (
    ClassFromProbabilityd,
    ClassProbabilitiesd,
    ForegroundProbabilityd,
    ImageResultd,
    LesionClassesd,
    MaskFromProbabilityd,
)
from .tasks import ClassFromMaskd, EnsureTaskLabelsd, UnpackTasksd
from .tissue_features import DiagnosisFromFeaturesd, TissueFeaturesd
from .trim import RandTrimd
from .verify_sha256 import VerifySHA256d
from .viewer_space import ViewerSpaced

__all__ = [
    "BoxResultd",
    "BreastForeground",
    "ClassFromMaskd",
    "ClassFromProbabilityd",
    "ClassProbabilitiesd",
    "DiagnosisFromFeaturesd",
    "EnsureTaskLabelsd",
    "ExplanationMapd",
    "ForegroundProbabilityd",
    "ImageResultd",
    "LesionClassesd",
    "LoadMaskd",
    "MaskFromLogitsd",
    "MaskFromProbabilityd",
    "NormalizeForegroundd",
    "RandBalancedCropd",
    "RandTrimd",
    "RegionResultd",
    "ScaleTo8Bitd",
    "SeparableResize",
    "SeparableResized",
    "TissueFeaturesd",
    "UnpackTasksd",
    "VerifySHA256d",
    "ViewerSpaced",
]
