"""Reading images and data sets."""

from .checks import examine_cases
from .datalist import examine_dataset, list_images, load_datalist
from .dataset import TolerantDataset
from .reader import MedicalReader
from .splits import split_by_patient

__all__ = [
    "MedicalReader",
    "TolerantDataset",
    "examine_cases",
    "examine_dataset",
    "list_images",
    "load_datalist",
    "split_by_patient",
]
