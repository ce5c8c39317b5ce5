"""Reading images and data sets."""

from .checks import check_cases
from .datalist import list_images, load_datalist
from .dataset import TolerantDataset
from .reader import MedicalReader
from .splits import split_by_patient

__all__ = ["MedicalReader", "TolerantDataset", "check_cases", "list_images", "load_datalist", "split_by_patient"]
