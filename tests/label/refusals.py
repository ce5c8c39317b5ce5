"""What must be refused, with a reason, and leaves the server as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
from checking import check
from known import ROOT
from PIL import Image
from pydicom.data import get_testdata_file
from server import Server
from studies import Sample, write_dicom

__all__ = ["check_errors"]


def check_errors(server: Server, folder: Path, samples: dict[str, Sample]) -> None:
    """Each error says why, and the server answers afterwards."""
    sample, colours = samples["hds_inbreast"], samples["ynet_biopsy"].png
    before = server.infer("hds_inbreast", sample.png)
    nowhere = server.infer("hds_inbreast", "nowhere")
    asked = {
        "an image that is not there": (nowhere, 404, "no image of this name"),
        "a model that is not there": (server.infer("nothing", sample.png), 404, "no model 'nothing'"),
    }
    for what, (model, file, reason) in broken_files(folder).items():
        asked[what] = (server.infer(model, file=file), 422, reason)
    for what, (reply, status, reason) in asked.items():
        text = str(reply.params.get("detail"))
        first = text.splitlines()[0] if text else ""
        check(f"{what}: {status}, {first[-110:]}", reply.status == status and reason in text, (reply.status, text))
    mixed = server.batch("hds_inbreast", [sample.png, colours])
    text = str(mixed.params.get("detail"))
    check(f"a batch with such a picture: {mixed.status}", mixed.status == 422 and "colour" in text, text)
    empty = server.train("hds_inbreast", True)
    text = str(empty.params.get("detail"))
    check(f"training without a mask: {empty.status}, {text[:60]!r}", empty.status == 422 and "no cases" in text, text)
    check_wrong_mask(server, folder, [sample.png, samples["fcn_ddsm"].png])
    check("the server is alive", server.alive())
    after = server.infer("hds_inbreast", sample.png)
    check("and answers as before", after.status == 200 and after.file == before.file, after.params)


def check_wrong_mask(server: Server, folder: Path, images: list[str]) -> None:
    """Masks with a value that no label has must not train a model of two labels."""
    for image in images:
        size = Image.open(server.studies / f"{image}.png").size
        path = folder / f"{image}_mask.png"
        Image.fromarray(np.full(size[::-1], 3, np.uint8)).save(path)
        server.save_label(image, path)
    reply = server.train("fcn_ddsm", True)
    text = str(reply.params.get("detail"))
    first = text.splitlines()[0] if text else ""
    check(f"training with a value that no label has: {reply.status}, {first[-60:]}", reply.status == 422, text)
    check("and the value is named", "[3]" in text, text)
    for image in images:
        server.remove_label(image)


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
    write_dicom(mammogram, np.zeros((64, 48), np.uint8), "MG")
    photo, grey = folder / "photo.dcm", folder / "grey.dcm"
    write_dicom(photo, np.zeros((64, 48, 3), np.uint8), "DMS")
    write_dicom(grey, np.zeros((64, 48), np.uint8), "DMS")
    return {
        "a text called .png": ("hds_inbreast", text, "not an image"),
        "half a PNG": ("acsnet_busi", cut, "truncated"),
        "a picture in colours": ("hds_inbreast", Path(colours), "colour"),
        "a CT": ("hds_inbreast", Path(ct), "modality CT"),
        "a volume": ("hds_inbreast", volume, "8 x 8 x 5"),
        "a mammogram, to the model for ultrasound": ("acsnet_busi", mammogram, "modality MG"),
        "a mammogram, to the model for sections": ("ynet_biopsy", mammogram, "modality MG"),
        "a mammogram, to the model for photos": ("skin_lesion_isic2017", mammogram, "modality MG"),
        "a grey photo in DICOM": ("skin_lesion_isic2017", grey, "is a grey image"),
        "a volume, to the model for photos": ("skin_lesion_isic2017", volume, "8 x 8 x 5"),
        "a photo in DICOM, to the other model for mammograms": ("fcn_ddsm", photo, "modality DMS"),
        "a picture in colours, to the other model for mammograms": ("fcn_ddsm", Path(colours), "colour"),
    }
