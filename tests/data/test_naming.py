"""Files may be named after patients: with a salt no name reaches the log, and a patient's name never does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.transforms import Compose, LoadImaged
from PIL import Image

from monai_mtl.data import CaseDataset, MedicalReader, TolerantDataset, examine_dataset, load_datalist
from monai_mtl.errors import DataError
from monai_mtl.handlers import ImageStatistics

from ..factories import edit_datalist, write_datalist
from .importers.test_inbreast import HEADER, ROWS, tree
from .importers.trees import write_csv

CLASSES = {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}
ZERO = {"non_finite": "zero"}
PATIENT = "6c613a14"
NOTICE = "1 of 7680 values that are not finite were set to 0"


def holed(folder):
    """A data set of which one image holds a value that is not finite and is named after its patient."""
    write_datalist(folder)
    image = np.asarray(Image.open(folder / "images" / "case0.png"), np.float32).copy()
    image[0, 0] = np.nan
    Image.fromarray(image).save(folder / "images" / f"1_{PATIENT}.tif")
    changes = {"image": f"images/1_{PATIENT}.tif", "patient_id": PATIENT, "case_id": "1"}
    edit_datalist(folder, lambda c: c["training"][0].update(changes))
    return folder


@pytest.mark.parametrize("salt", [None, "s"])
def test_a_check_tells_notices_without_the_patient(tmp_path, caplog, salt):
    cases = load_datalist(holed(tmp_path), CLASSES, reader=ZERO, case_id_salt=salt)["training"]
    assert f"{cases[0]['case_id']}: {NOTICE}" in caplog.text
    assert PATIENT not in caplog.text


def test_the_pictures_of_a_check_do_not_tell_them_either(tmp_path, caplog):
    edit_datalist(holed(tmp_path), lambda c: c["training"][0].update(label_cls=7))
    with pytest.raises(DataError, match="undeclared"):
        load_datalist(tmp_path, CLASSES, reader=ZERO, output_dir=tmp_path / "out")
    assert caplog.text.count(f"1: {NOTICE}") == 2
    assert PATIENT not in caplog.text


@pytest.mark.parametrize("kind", ["memory", "disk", "none", "inference", "statistics"])
def test_what_reads_cases_calls_them_by_their_name(tmp_path, caplog, kind):
    case = load_datalist(holed(tmp_path), CLASSES, check=False, case_id_salt="s")["training"][0]
    load = Compose([LoadImaged("image", MedicalReader, **ZERO, ensure_channel_first=True)])
    if kind == "inference":
        next(iter(TolerantDataset([case], load)))
    elif kind == "statistics":
        network = SimpleNamespace(image_mean=torch.zeros(()), image_std=torch.ones(()))
        ImageStatistics(network, [case], load)._measure(None)
    else:
        CaseDataset([case], load, cache=kind, cache_dir=tmp_path / "cache")[0]
    assert f"{case['case_id']}: {NOTICE}" in caplog.text
    assert PATIENT not in caplog.text


def test_with_a_salt_cases_left_out_are_only_counted(tmp_path, caplog):
    write_csv(tree(tmp_path) / "INbreast.csv", HEADER, *ROWS, "secret,,,,,total,,", delimiter=";")
    examine_dataset(tmp_path, CLASSES, case_id_salt="s")
    assert "1 of 4 left out, rows of INbreast.csv that name no image" in caplog.text
    assert "secret" not in caplog.text
    examine_dataset(tmp_path, CLASSES)
    assert "that name no image: secret" in caplog.text
