"""One file a paper."""

from .hds_uresnet import HDSUResNet, convert_authors_state_dict

__all__ = ["HDSUResNet", "convert_authors_state_dict"]
