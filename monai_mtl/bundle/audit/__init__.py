"""A static audit of bundles: what one would run, without running it. Needs the standard library only.

A config of MONAI is a program: ``_target_`` calls any importable name, ``$`` is evaluated as Python. So each name that
a bundle uses is compared with lists of exact names, and what is on no list is a finding.
"""

from .finding import Finding
from .scan import audit

__all__ = ["Finding", "audit"]
