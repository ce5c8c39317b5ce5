"""What a config names as inferer."""

from .multitask import MultiTaskInferer
from .region import RegionInferer, region_probability

__all__ = ["MultiTaskInferer", "RegionInferer", "region_probability"]
