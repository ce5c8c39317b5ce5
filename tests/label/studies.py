"""Pictures for the server: sample images of the bundles in several formats, their masks, and real mammograms."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from known import COLOURS, LABELS, MODALITIES, ROOT
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    VLPhotographicImageStorage,
    generate_uid,
)

__all__ = ["SPACING", "Sample", "real_mammograms", "write_dicom", "write_studies"]

SPACING = (0.14, 0.07)
"""Millimetres in x and y of the NIfTI and DICOM files; unlike each other, so that they cannot be confused."""
ORIGIN = (12.0, -34.0, 5.0)
STORAGE = (DigitalMammographyXRayImageStorageForPresentation, VLPhotographicImageStorage)
"""Of grey DICOM files and of those in colour; ITK, which the checks compare places with, does not know dermoscopy's."""
ROWS = 480
"""At most: of 512 x 512 no square, so that x and y cannot be confused."""


@dataclass(frozen=True)
class Sample:
    """What the datastore holds for one bundle.

    Args:
        png: Name of a picture.
        others: Names of the same pixels in other formats.
        labelled: Names of pictures for training, with their masks: one in NIfTI, the others in PNG.
    """

    png: str
    others: list[str]
    labelled: dict[str, Path]


def write_studies(folder: Path) -> dict[str, Sample]:
    """Fill the datastore's folder; samples by bundle. Masks lie beside the folder."""
    return {name: _sample(name, folder) for name in LABELS}


def _sample(bundle: str, folder: Path) -> Sample:
    source = ROOT / "bundles" / bundle / "sample_data"
    cases = json.loads((source / "dataset.json").read_text())["training"]
    classes = sorted({int(case["label_cls"]) for case in cases})[:2]
    chosen = [next(case for case in cases if case["label_cls"] == label) for label in classes]
    chosen += [next(case for case in reversed(cases) if case["label_cls"] == label) for label in classes]
    labelled = {}
    for case in chosen:
        picture = source / case["image"]
        name = f"{bundle}_{picture.stem}"
        shutil.copy(picture, folder / f"{name}{picture.suffix}")
        mask = folder.parent / f"{name}_mask.{'png' if labelled else 'nii.gz'}"
        _draw(np.asarray(Image.open(source / case["label_seg"])) > 0, len(LABELS[bundle]), mask)
        labelled[name] = mask
    array = np.asarray(Image.open(source / chosen[1]["image"]))[:ROWS]
    return Sample(f"{bundle}_same_png", _same(array, bundle, folder / f"{bundle}_same"), labelled)


def _draw(lesion: np.ndarray, labels: int, path: Path) -> None:
    """What an annotator saves: the values that ``/info`` names. Of two labels the lesion has the second.

    Each label before it is drawn as another lesion of the same shape, half of its height further down.
    """
    step = int(lesion.any(axis=1).sum()) // 2
    mask = np.zeros(lesion.shape, np.uint8)
    for value in range(1, labels + 1):
        mask[np.roll(lesion, (labels - value) * step, axis=0)] = value
    if path.suffix == ".png":
        Image.fromarray(mask).save(path)
        return
    # As a slice, which is how a viewer of volumes holds pictures too.
    nibabel.save(nibabel.Nifti1Image(mask.T[..., None], np.diag([-1.0, -1.0, 1.0, 1.0])), path)


def _same(array: np.ndarray, bundle: str, path: Path) -> list[str]:
    """Write the same pixels in each format that a bundle is asked for; names but for that of the PNG."""
    kinds = []
    if bundle in COLOURS:
        array = _through_jpeg(array, path.with_name(f"{path.name}_jpg.jpg"))
        kinds.append("jpg")
    else:
        array = np.asarray(Image.fromarray(array).convert("L"))
    Image.fromarray(array).save(path.with_name(f"{path.name}_png.png"))
    if bundle in MODALITIES:
        _write_nifti(path.with_name(f"{path.name}_nii.nii.gz"), array)
        kinds.append("nii")
    for modality in MODALITIES.get(bundle, ()):
        write_dicom(path.with_name(f"{path.name}_{modality}.dcm"), array, modality)
        kinds.append(modality)
    return [f"{path.name}_{kind}" for kind in kinds]


def _through_jpeg(array: np.ndarray, path: Path) -> np.ndarray:
    """Write a JPEG; the pixels that it holds."""
    Image.fromarray(array).save(path, quality=90)
    return np.asarray(Image.open(path))


def _write_nifti(path: Path, array: np.ndarray) -> None:
    affine = np.diag([-SPACING[0], -SPACING[1], 1.0, 1.0])
    affine[:3, 3] = ORIGIN
    turned = np.ascontiguousarray(array.swapaxes(0, 1))
    if array.ndim == 3:
        turned = turned.view([(name, "u1") for name in "RGB"])[..., 0]
    image = nibabel.Nifti1Image(turned[..., None], affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def write_dicom(path: Path, array: np.ndarray, modality: str) -> None:
    """Grey ``(H, W)`` or colours ``(H, W, 3)``, uint8."""
    meta, colours = FileMetaDataset(), array.ndim == 3
    meta.MediaStorageSOPClassUID = STORAGE[colours]
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PhotometricInterpretation = modality, "RGB" if colours else "MONOCHROME2"
    header.Rows, header.Columns = array.shape[:2]
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 7, 0, 3 if colours else 1
    if colours:
        header.PlanarConfiguration = 0
        header.PixelSpacing = list(SPACING[::-1])
    else:
        header.ImagerPixelSpacing = list(SPACING[::-1])
    header.PixelData = array.tobytes()
    pydicom.dcmwrite(path, header, enforce_file_format=True)


def real_mammograms(folder: Path) -> list[str]:
    """Copy two real mammograms in DICOM into the datastore's folder; none where MONAI_MTL_DATA names no data."""
    source = Path(os.environ.get("MONAI_MTL_DATA", "")) / "cbis_ddsm_dicom_mg" / "images"
    found = sorted(source.glob("*.dcm"))[:2] if source.is_absolute() else []
    for path in found:
        shutil.copy(path, folder)
    return [path.stem for path in found]
