"""Keeps pytest, which imports every module for its doctests, away from what needs MONAI Label."""

from pathlib import Path

collect_ignore = ["stand_in", "plugin", *(path.name for path in Path(__file__).parent.glob("*.py"))]
