"""What a config names as inferer."""

from .class_activation import ClassActivation
from .multitask import MultiTaskInferer
from .region import RegionInferer, region_probability

__all__ = ["ClassActivation", "MultiTaskInferer", "RegionInferer", "region_probability"]
