"""A mask for MONAI Label lies where its image lies, as ITK reads both."""

from __future__ import annotations

import itk
import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImaged
from PIL import Image

from monai_mtl.transforms import ViewerSpaced

from ..faults.generate import mammogram, pixels, write_dicom

GREY = (pixels() >> 4).astype(np.uint8)
SPACING = (0.14, 0.07)


def loaded(path, **keys):
    """A case as MONAI Label hands it to post-processing, with a mask of the image's size."""
    load = LoadImaged("image", reader="monai_mtl.data.MedicalReader", ensure_channel_first=True)
    case = load({"image": str(path), **keys})
    return {**case, "pred": (case["image"][0] > 100).byte()}


def written(case, path):
    """As MONAI Label 0.8.5 writes it: with a place if there are three axes, then that of ``original_affine``."""
    mask = np.asarray(case["pred"])
    image = itk.image_from_array(mask.transpose().copy())
    if mask.ndim > 2:
        affine = np.diag([-1, -1, 1, 1]) @ np.asarray(case["image"].meta["original_affine"])
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        image.SetSpacing(spacing)
        image.SetOrigin(affine[:3, 3])
        image.SetDirection(itk.matrix_from_array(affine[:3, :3] / spacing))
    itk.imwrite(image, str(path))
    return path


def place(path):
    """Spacing, origin and direction in the plane."""
    image = itk.imread(str(path))
    parts = (itk.spacing(image), itk.origin(image), itk.array_from_matrix(image.GetDirection())[:2, :2])
    return np.concatenate([np.asarray(list(part), float)[:2].ravel() for part in parts])


def nifti(folder):
    affine = np.diag([-SPACING[0], -SPACING[1], 1.0, 1.0])
    affine[:3, 3] = (12, -34, 5)
    nibabel.save(nibabel.Nifti1Image(GREY.T[..., None], affine), folder / "a.nii.gz")
    return folder / "a.nii.gz"


def dicom(folder):
    return write_dicom(folder / "a.dcm", mammogram(GREY, ImagerPixelSpacing=list(SPACING[::-1])))


def png(folder):
    Image.fromarray(GREY).save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize("make", [nifti, dicom, png])
def test_a_mask_in_nrrd_lies_where_its_image_lies(tmp_path, make):
    path = make(tmp_path)
    case = ViewerSpaced()(loaded(path, result_extension=".nrrd"))
    mask = written(case, tmp_path / "mask.nrrd")
    assert np.allclose(place(mask), place(path), atol=1e-5)
    assert np.array_equal(itk.array_from_image(itk.imread(str(mask)))[0], GREY > 100)
    assert case["image"].meta["spatial_shape"].tolist() == [*GREY.T.shape, 1]


def test_nothing_changes_for_pictures_and_outside_monai_label(tmp_path):
    for keys in ({}, {"result_extension": ".png"}, {"result_extension": None}):
        case = loaded(dicom(tmp_path), **keys)
        answer = ViewerSpaced()(case)
        assert answer["pred"] is case["pred"]
        assert answer["image"] is case["image"]


def test_the_image_of_others_keeps_its_meta_data(tmp_path):
    case = loaded(nifti(tmp_path), result_extension=".nii.gz")
    ViewerSpaced()(case)
    assert len(case["image"].meta["spatial_shape"]) == 2
