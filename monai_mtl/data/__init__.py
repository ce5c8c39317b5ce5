"""Reading images and data sets."""

from .case_dataset import CaseDataset
from .checks import examine_cases
from .class_names import class_names
from .datalist import examine_dataset, list_images, load_datalist
from .dataset import TolerantDataset
from .describe import digest_of
from .design import design_of
from .disk_cache import DiskCache
from .reader import MedicalReader
from .splits import split_by_patient

__all__ = [
    "CaseDataset",
    "DiskCache",
    "MedicalReader",
    "TolerantDataset",
    "class_names",
    "design_of",
    "digest_of",
    "examine_cases",
    "examine_dataset",
    "list_images",
    "load_datalist",
    "split_by_patient",
]
