"""What a run leaves for people and programs."""

from .overlay import contact_sheet, draw_case
from .result_json import provenance, write_json

__all__ = ["contact_sheet", "draw_case", "provenance", "write_json"]
