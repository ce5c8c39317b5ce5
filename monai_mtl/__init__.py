"""Multi-task medical imaging networks as MONAI bundles: one picture in, every answer out."""

__version__ = "0.1.0"
