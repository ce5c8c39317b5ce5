"""What must be refused, with a reason, and leaves the server as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
from checking import check
from known import ROOT
from pydicom.data import get_testdata_file
from server import Server
from studies import Sample, write_dicom

__all__ = ["check_errors"]


def check_errors(server: Server, folder: Path, sample: Sample, colours: str) -> None:
    """Each error says why, and the server answers afterwards."""
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
    check("the server is alive", server.alive())
    after = server.infer("hds_inbreast", sample.png)
    check("and answers as before", after.status == 200 and after.file == before.file, after.params)


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
    return {
        "a text called .png": ("hds_inbreast", text, "not an image"),
        "half a PNG": ("acsnet_busi", cut, "truncated"),
        "a picture in colours": ("hds_inbreast", Path(colours), "colour"),
        "a CT": ("hds_inbreast", Path(ct), "modality CT"),
        "a volume": ("hds_inbreast", volume, "8 x 8 x 5"),
        "a mammogram, to the model for ultrasound": ("acsnet_busi", mammogram, "modality MG"),
        "a mammogram, to the model for sections": ("ynet_biopsy", mammogram, "modality MG"),
    }
