"""Reading a DICOM file of the tests, and being refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_mtl.data import MedicalReader
from monai_mtl.errors import ImageError

from ..faults.generate import mammogram, write_dicom


def read(path: Path, **options) -> tuple[np.ndarray, dict]:
    """Rows first."""
    return MedicalReader(reverse_indexing=False, **options).get_data([path])


def refusal(path: Path, **options) -> ImageError:
    """The error of a file that must be refused; it names the file and a fix."""
    with pytest.raises(ImageError) as raised:
        read(path, **options)
    assert path.name in str(raised.value)
    assert raised.value.fix, f"no fix: {raised.value}"
    return raised.value


def made(folder: Path, stored: np.ndarray | None = None, **tags) -> Path:
    """A mammogram with other tags."""
    return write_dicom(folder / "a.dcm", mammogram(stored, **tags))
