"""One file a paper, and a view of one output."""

from .acsnet import ACSNet
from .fcn_snet_cnet import FCNSNetCNet
from .hds_uresnet import HDSUResNet, convert_authors_state_dict
from .lesion_rcnn import LesionRCNN
from .task_view import TaskView
from .tissue_diagnosis import TissueDiagnosis
from .ynet import YNet

__all__ = [
    "ACSNet",
    "FCNSNetCNet",
    "HDSUResNet",
    "LesionRCNN",
    "TaskView",
    "TissueDiagnosis",
    "YNet",
    "convert_authors_state_dict",
]
