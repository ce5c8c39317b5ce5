"""Whether a viewer that reads image and mask sees them in one place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import itk
import numpy as np
from checking import check
from server import Server

__all__ = ["check_space"]


def check_space(server: Server, model: str, image: str) -> None:
    """Ask for NRRD, as 3D Slicer and OHIF do, and for NIfTI; compare both files' places as ITK reads them."""
    path = next(server.studies.glob(f"{image}.*"))
    for suffix in (".nrrd", ".nii.gz"):
        reply = server.infer(model, image, result_extension=suffix)
        with tempfile.TemporaryDirectory() as folder:
            mask = Path(folder) / f"mask{suffix}"
            mask.write_bytes(reply.file)
            places = [place(path), place(mask)]
        close = all(np.allclose(a, b, atol=1e-3) for a, b in zip(*places, strict=True))
        check(f"{model}, {image}: a mask in {suffix} lies where the image lies", reply.status == 200 and close, places)


def place(path: Path) -> list[np.ndarray]:
    """Size, spacing, origin and direction in the plane."""
    read = itk.imread(str(path))
    values = [list(itk.size(read)), list(itk.spacing(read)), list(itk.origin(read))]
    return [np.asarray(one, float)[:2] for one in values] + [itk.array_from_matrix(read.GetDirection())[:2, :2]]
