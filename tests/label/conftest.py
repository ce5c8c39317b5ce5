"""Keeps pytest, which imports every module for its doctests, away from what needs MONAI Label."""

collect_ignore = ["smoke.py", "stand_in"]
