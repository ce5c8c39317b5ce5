"""One file a paper."""

from .acsnet import ACSNet
from .hds_uresnet import HDSUResNet, convert_authors_state_dict
from .tissue_diagnosis import TissueDiagnosis
from .ynet import YNet

__all__ = ["ACSNet", "HDSUResNet", "TissueDiagnosis", "YNet", "convert_authors_state_dict"]
