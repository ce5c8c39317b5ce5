"""Metrics that say how many cases they stand on and why they are undefined."""

from .classification import ROCAUC, Accuracy
from .comparison import nan_is_worst
from .segmentation import LesionDice

__all__ = ["ROCAUC", "Accuracy", "LesionDice", "nan_is_worst"]
