"""What pydicom_seg 0.4.1, which MONAI Label imports, looks for in a module that pydicom 3 no longer has.

The Makefile copies this file to ``pydicom/_storage_sopclass_uids.py`` of MONAI Label's environment, and of no other.
"""

from pydicom.uid import SegmentationStorage

__all__ = ["SegmentationStorage"]
