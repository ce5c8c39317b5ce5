"""Pictures for the server: sample images of the bundles in three formats, real mammograms, and what must be refused."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

__all__ = ["BUNDLES", "SPACING", "Sample", "broken_files", "real_mammograms", "write_studies"]

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = {"hds_inbreast": "MG", "acsnet_busi": "US", "ynet_biopsy": ""}
"""And the modality of their DICOM files; the one without is asked for pictures only. ``fcn_ddsm`` is not among them
yet: it answers, but its training is refused, see docs/how-to/monai-label.md."""
MASKS = {"fcn_ddsm": 2}
"""Value of a lesion where the masks of the sample data have others than the model: all of theirs are malignant."""
SPACING = (0.14, 0.07)
"""Millimetres in x and y of the NIfTI and DICOM files; unlike each other, so that they cannot be confused."""
ORIGIN = (12.0, -34.0, 5.0)
ROWS = 480
"""Of 512: no square, so that x and y cannot be confused."""


@dataclass(frozen=True)
class Sample:
    """What the datastore holds for one bundle.

    Args:
        png: Name of a picture.
        others: Names of the same pixels in other formats.
        labelled: Names of pictures for training, with their masks: one in NIfTI, the others as the bundle has them.
    """

    png: str
    others: list[str]
    labelled: dict[str, Path]


def write_studies(folder: Path) -> dict[str, Sample]:
    """Fill the datastore's folder; samples by bundle."""
    return {name: _sample(name, folder) for name in BUNDLES}


def _sample(bundle: str, folder: Path) -> Sample:
    source = ROOT / "bundles" / bundle / "sample_data"
    cases = json.loads((source / "dataset.json").read_text())["training"]
    classes = {int(case["label_cls"]) for case in cases}
    chosen = [next(case for case in cases if case["label_cls"] == label) for label in sorted(classes)[:2]]
    chosen += [next(case for case in reversed(cases) if case["label_cls"] == label) for label in sorted(classes)[:2]]
    labelled = {}
    for case in chosen:
        picture = source / case["image"]
        shutil.copy(picture, folder)
        labelled[picture.stem] = source / case["label_seg"]
    if bundle in MASKS:
        labelled = {
            stem: _valued(mask, MASKS[bundle], folder.parent / f"{stem}.png") for stem, mask in labelled.items()
        }
    first = next(iter(labelled))
    labelled[first] = _as_slicer_saves(labelled[first], folder.parent / f"{bundle}_{first}.nii.gz")
    array = np.asarray(Image.open(source / chosen[1]["image"]))[:ROWS]
    name = f"{bundle}_same"
    Image.fromarray(array).save(folder / f"{name}_png.png")
    others = []
    if modality := BUNDLES[bundle]:
        grey = np.asarray(Image.fromarray(array).convert("L"))
        _write_nifti(folder / f"{name}_nii.nii.gz", grey)
        _write_dicom(folder / f"{name}_dcm.dcm", grey, modality)
        others = [f"{name}_nii", f"{name}_dcm"]
    return Sample(f"{name}_png", others, labelled)


def _valued(mask: Path, value: int, path: Path) -> Path:
    array = (np.asarray(Image.open(mask)) > 0).astype(np.uint8) * np.uint8(value)
    Image.fromarray(array).save(path)
    return path


def _as_slicer_saves(mask: Path, path: Path) -> Path:
    """The mask of a picture as a slice, which is how a viewer of volumes holds pictures too."""
    array = (np.asarray(Image.open(mask)) > 0).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(array.T[..., None], np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return path


def _write_nifti(path: Path, grey: np.ndarray) -> None:
    affine = np.diag([-SPACING[0], -SPACING[1], 1.0, 1.0])
    affine[:3, 3] = ORIGIN
    image = nibabel.Nifti1Image(grey.T[..., None], affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _write_dicom(path: Path, grey: np.ndarray, modality: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.Modality, header.PhotometricInterpretation = modality, "MONOCHROME2"
    header.Rows, header.Columns = grey.shape
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 7, 0, 1
    header.ImagerPixelSpacing = list(SPACING[::-1])
    header.PixelData = grey.tobytes()
    pydicom.dcmwrite(path, header, enforce_file_format=True)


def real_mammograms(folder: Path) -> list[str]:
    """Copy two real mammograms in DICOM into the datastore's folder; none where MONAI_MTL_DATA names no data."""
    source = Path(os.environ.get("MONAI_MTL_DATA", "")) / "cbis_ddsm_dicom_mg" / "images"
    found = sorted(source.glob("*.dcm"))[:2] if source.is_absolute() else []
    for path in found:
        shutil.copy(path, folder)
    return [path.stem for path in found]


def broken_files(folder: Path) -> dict[str, tuple[str, Path, str]]:
    """By what it is: model, file and what the error must name. None of them is in the datastore."""
    folder.mkdir()
    text = folder / "text.png"
    text.write_text("no picture")
    whole = (ROOT / "bundles" / "acsnet_busi" / "sample_data" / "images").glob("*.png")
    cut = folder / "cut.png"
    content = min(whole).read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    colours = shutil.copy(min((ROOT / "bundles" / "ynet_biopsy" / "sample_data" / "images").glob("*.png")), folder)
    ct = shutil.copy(str(get_testdata_file("CT_small.dcm", download=False)), folder)
    volume = folder / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 5), np.uint8), np.eye(4)), volume)
    mammogram = folder / "mammogram.dcm"
    _write_dicom(mammogram, np.zeros((64, 48), np.uint8), "MG")
    return {
        "a text called .png": ("hds_inbreast", text, "not an image"),
        "half a PNG": ("acsnet_busi", cut, "truncated"),
        "a picture in colours": ("hds_inbreast", Path(colours), "colour"),
        "a CT": ("hds_inbreast", Path(ct), "modality CT"),
        "a volume": ("hds_inbreast", volume, "8 x 8 x 5"),
        "a mammogram, to the model for ultrasound": ("acsnet_busi", mammogram, "modality MG"),
        "a mammogram, to the model for sections": ("ynet_biopsy", mammogram, "modality MG"),
    }
