"""Data sets as their owners ship them: one file a layout, tried in this order."""

from . import datalist_json, folder_pair

IMPORTERS = (datalist_json, folder_pair)

__all__ = ["IMPORTERS"]
