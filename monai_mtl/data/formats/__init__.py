"""Medical file formats, each decoded to one grey image with rows first."""

from .dicom import read_dicom, read_dicom_size
from .nifti import read_nifti, read_nifti_size

__all__ = ["read_dicom", "read_dicom_size", "read_nifti", "read_nifti_size"]
