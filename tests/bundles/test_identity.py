"""Nothing that a run writes, prints or caches tells who the patient is."""

from __future__ import annotations

import gzip
import json
import logging
import traceback
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from monai.data import DataLoader, PersistentDataset
from monai.transforms import Compose
from PIL import Image, PngImagePlugin

from monai_mtl.data import load_datalist
from monai_mtl.errors import DataError, own_error
from monai_mtl.registry import Bundle

from ..every_bundle import BUNDLES, every_bundle
from ..small_runs import on_sample_data
from ..trained import random_weights, tiny
from .inbreast_tree import write_inbreast
from .test_all_bundles import workflow

MODALITIES = {"modalities": ["MG"]}
"""Of the images here, whatever the bundle is for."""
SHORT = {"max_epochs": 1, "val_interval": 1, "batch_size": 3, **MODALITIES}
DICOM = [one for one in BUNDLES if "dicom" in json.loads((one.folder / "configs" / "inference.json").read_text())]
"""Those that write DICOM files too."""
IDENTITY = {
    "PatientName": "Quadflieg^Zebedaeus",
    "PatientID": "PID-7390161",
    "PatientBirthDate": "19030307",
    "PatientAddress": "Krummhoern 77",
    "OtherPatientIDs": "OTHER-4412093",
    "AccessionNumber": "ACC-9920417",
    "InstitutionName": "Klinik Wolkenkuckucksheim",
    "ReferringPhysicianName": "Pumpernickel^Ottokar",
    "OperatorsName": "Xanthippe^Ludmilla",
    "StudyDate": "20010911",
    "StudyDescription": "Screening Rumpelstilz",
    "StudyInstanceUID": "1.2.826.0.1.3680043.9.7390161.1",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.9.7390161.2",
    "StationName": "GERAET-5519",
}
CODECS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")
DATES = ("1903-03-07", "07.03.1903", "03/07/1903", "2001-09-11")
"""Other ways to write them."""
WORDS = [word for value in IDENTITY.values() for word in value.split("^")] + list(DATES)


def contents(data: bytes) -> Iterator[bytes]:
    """The bytes of a file, and of everything that is compressed in it."""
    yield data
    inner: list[bytes] = []
    if data.startswith(b"\x1f\x8b"):
        inner = [gzip.decompress(data)]
    elif data.startswith(b"\x89PNG"):
        inner = list(png_parts(data))
    elif zipfile.is_zipfile(BytesIO(data)):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            inner = [archive.read(name) for name in archive.namelist()]
    for part in inner:
        yield from contents(part)


def png_parts(data: bytes) -> Iterator[bytes]:
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        yield from (value if isinstance(value, bytes) else str(value).encode() for value in picture.info.values())
        yield picture.tobytes()


def found_in(data: bytes) -> set[str]:
    """Words of the identity that some bytes hold, whatever their case."""
    needles = {word: [word.lower().encode(codec) for codec in CODECS] for word in WORDS}
    found = set()
    for content in contents(data):
        lower = content.lower()
        found |= {word for word, forms in needles.items() if any(form in lower for form in forms)}
    return found


def leaks(folder: Path) -> dict[str, set[str]]:
    """Words by file below a folder, its name included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, "nothing was written"
    name = {path: str(path.relative_to(folder)) for path in files}
    found = {name[path]: found_in(path.read_bytes()) | found_in(name[path].encode()) for path in files}
    return {path: words for path, words in found.items() if words}


@pytest.fixture
def data(tmp_path) -> Path:
    """Five patients, whose headers all tell who they are."""
    return write_inbreast(tmp_path / "data", **IDENTITY)


def in_colours(folder: Path, bundle: Bundle) -> None:
    """Of a bundle that reads colours only, as it refuses a grey DICOM file."""
    if '"grey_dicom": false' not in (bundle.folder / "configs" / "train.json").read_text():
        return
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        grey = (header.pixel_array >> 4).astype(np.uint8)
        header.set_pixel_data(np.stack([grey] * 3, axis=-1), "RGB", 8, generate_instance_uid=False)
        header.save_as(path)


def spoil(folder: Path) -> None:
    """Cut the pixels of one file and the header of another, and put a word where a UID must stand.

    pydicom repeats such a word when it warns of it.
    """
    cut, torn = sorted(folder.iterdir())[:2]
    for path in (cut, torn):
        header = pydicom.dcmread(path)
        header["StudyInstanceUID"]._value = "1.2.Quadflieg"
        if path == cut:
            header.PixelData = header.PixelData[:100]
        else:
            del header.Rows
        header.save_as(path)


def zipped(data: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b", data)
    return buffer.getvalue()


def archived(text: str) -> bytes:
    buffer = BytesIO()
    np.savez_compressed(buffer, name=np.array(text))  # UTF-32
    return buffer.getvalue()


def pickled(text: str) -> bytes:
    buffer = BytesIO()
    torch.save({"meta": {"PatientName": text}}, buffer)
    return buffer.getvalue()


def written_in_png(text: str) -> bytes:
    buffer, notes = BytesIO(), PngImagePlugin.PngInfo()
    notes.add_itxt("Comment", 50 * text, zip=True)
    Image.new("L", (3, 2)).save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


HIDDEN = {
    "plain": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "UTF-16": lambda text: b"." + text.encode("utf-16-le"),
    "zip": lambda text: zipped(text.encode()),
    "gzip in zip": lambda text: zipped(gzip.compress(text.encode("utf-16-le"))),
    "npz": archived,
    "checkpoint": pickled,
    "PNG": written_in_png,
}


@pytest.mark.parametrize("form", HIDDEN)
def test_the_search_finds_what_is_hidden(form):
    data = HIDDEN[form]("Quadflieg")
    assert found_in(data) == {"Quadflieg"}
    if form not in ("plain", "capitals", "UTF-16", "checkpoint"):
        assert b"quadflieg" not in data.lower()


def test_the_search_finds_everything_in_the_images_that_are_read(data):
    for path in (data / "AllDICOMs").iterdir():
        assert found_in(path.read_bytes()) == set(WORDS) - set(DATES)


def test_the_search_finds_nothing_in_random_bytes():
    noise = np.random.RandomState(0).bytes(1 << 18)
    assert found_in(noise) == found_in(zlib.compress(noise)) == set()


@every_bundle
def test_a_run_tells_nobody_who_the_patients_are(bundle, data, tmp_path, caplog, capfd, recwarn):
    caplog.set_level(logging.DEBUG)
    in_colours(data / "AllDICOMs", bundle)
    output = tmp_path / "output"
    places = {"dataset_dir": str(data), "ckpt_dir": str(output / "weights"), "output_dir": str(output / "eval")}
    settings = {**tiny(bundle.folder, "train"), **SHORT, **places}
    training = workflow(bundle.folder, ["train", "demo"], **settings)
    training.run()
    cache(training, output / "cache")
    workflow(bundle.folder, ["train", "demo", "evaluate"], **settings).run()
    spoil(data / "AllDICOMs")
    weights = output / "weights" / "model.pt"
    never = {"dicom": "never"} if bundle in DICOM else {}
    told = [infer(bundle, data, output, weights, **never), check(data, output / "check")]
    assert "2 of 10 images could not be used" in told[0]
    assert "2 of 10 cases cannot be read" in told[1]
    told += [str(warning.message) for warning in recwarn]
    told += [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
    told += capfd.readouterr()
    assert any("8 images done" in text for text in told)
    assert found_in("\n".join(told).encode()) == set()
    kinds = {path.suffix for path in output.rglob("*") if path.is_file()}
    assert kinds == {".pt", ".json", ".csv", ".png", ".html"}
    assert len(list((output / "cache").iterdir())) == 10
    assert leaks(output) == {}


@pytest.mark.parametrize("bundle", DICOM, ids=lambda bundle: bundle.name)
def test_dicom_results_tell_it_and_nothing_beside_them_does(bundle, data, tmp_path, caplog, capfd, recwarn):
    caplog.set_level(logging.DEBUG)
    output, settings = tmp_path / "output", on_sample_data(bundle.folder, "inference")  # whose classes have codes
    weights = random_weights(bundle.folder, tmp_path / "model.pt", **settings)
    in_colours(data / "AllDICOMs", bundle)
    spoil(data / "AllDICOMs")
    told = [infer(bundle, data, output, weights, dicom="auto", **settings)]
    told += [str(warning.message) for warning in recwarn]
    told += [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records]
    told += capfd.readouterr()
    assert found_in("\n".join(told).encode()) == set()
    found = leaks(output)
    assert len(found) == 2 * 8
    assert {name[-7:] for name in found} == {"seg.dcm", "_sr.dcm"}
    assert all({"Quadflieg", "PID-7390161", "20010911"} <= words for words in found.values())


def cache(training, folder: Path) -> None:
    """MONAI's cache of loaded images on disk, as somebody might put it into the config."""
    parser = training.parser
    names = ("load", "deterministic")
    steps = [step for name in names for step in parser.get_parsed_content(f"train#{name}_transforms")]
    cases = [case for section in parser.get_parsed_content("datalist").values() for case in section]
    dataset = PersistentDataset(cases, Compose(steps), cache_dir=folder)
    for batch in DataLoader(dataset, batch_size=2):
        assert found_in(repr(batch["image"].meta).encode()) == set()


def infer(bundle: Bundle, data: Path, output: Path, weights: Path, **settings) -> str:
    """The error that an inference of a folder with broken files ends with, and its traceback."""
    places = {"dataset_dir": str(data / "AllDICOMs"), "checkpoint": str(weights), **MODALITIES}
    places |= {**tiny(bundle.folder), **settings}
    places["output_dir"] = str(output / "predictions")
    with pytest.raises(RuntimeError) as raised:
        workflow(bundle.folder, ["inference"], "infer", **places).run()
    return f"{own_error(raised.value)}\n{''.join(traceback.format_exception(raised.value))}"


def check(data: Path, output: Path) -> str:
    """The error of a check, which writes a report and a picture."""
    with pytest.raises(DataError) as raised:
        load_datalist(data, {"seg": ["background", "mass"], "cls": ["no mass", "mass"]}, output_dir=output)
    assert {path.name for path in output.iterdir()} == {"check.json", "check.png"}
    return f"{raised.value}\n{''.join(traceback.format_exception(raised.value))}"
