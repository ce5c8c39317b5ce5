"""The mask as a slice in space, for viewers that lay image and mask over each other by their places."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from monai.transforms import Transform

__all__ = ["ViewerSpaced"]

SPATIAL = (".nii", ".nii.gz", ".nrrd", ".mha")
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the axes of DICOM and of pictures, x to the left of a patient and y to the back, to those of NIfTI."""


class ViewerSpaced(Transform):
    """Gives the mask the place of its image where MONAI Label is asked for a format that holds one.

    MONAI Label 0.8.5 writes a flat mask without spacing, origin and direction, and a slice with those that the image's
    meta data call ``original_affine``. So the mask becomes a slice. Without the key ``result_extension``, which MONAI
    Label sets, and for formats such as PNG, nothing changes.

    Args:
        mask_key: Mask ``(W, H)``; becomes ``(W, H, 1)``.
        image_key: Image, whose meta data name its file.
    """

    def __init__(self, mask_key: str = "pred", image_key: str = "image") -> None:
        self.mask_key, self.image_key = mask_key, image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Place one case."""
        d = dict(data)
        if str(d.get("result_extension", "")).lower() in SPATIAL:
            d[self.mask_key] = d[self.mask_key][..., None]
            image = d[self.image_key] = d[self.image_key].clone()
            image.meta["spatial_shape"] = np.asarray(d[self.mask_key].shape)
            image.meta["original_affine"] = _affine(image.meta)
        return d


def _affine(meta: Mapping[str, Any]) -> np.ndarray:
    """Of voxels ``(x, y, 0)`` in millimetres, x to the right, y to the front, as in NIfTI."""
    path = Path(str(meta["filename_or_obj"]))
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return np.asarray(cast("nibabel.Nifti1Image", nibabel.load(path)).affine)
    spacing = np.nan_to_num(np.asarray(meta["spacing"], float).reshape(-1), nan=1.0)
    return TO_RAS @ np.diag([*spacing, 1.0, 1.0])
