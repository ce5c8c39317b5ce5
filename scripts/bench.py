"""Speed as ratios: several ways to do the same thing, in turns, in one run.

python scripts/bench.py                            everything
python scripts/bench.py loading --rounds 31        one comparison, longer
python scripts/bench.py deform_conv                the deformable convolution against a plain one
python scripts/bench.py lesion_rcnn                the lesion R-CNN against its own backbone
python scripts/bench.py hds_inbreast --write       the network of a bundle; writes docs/benchmarks.json and .md

Each pair of loading is first shown to give the same numbers. Seconds depend on the machine and its load, ratios hardly.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fire
import numpy as np
import pydicom
import torch
from bench_layers import bench_deform_conv
from bench_lesion_rcnn import bench_lesion_rcnn
from bench_networks import bench_bundle
from bench_page import write_page
from monai.transforms import Compose, CropForegroundd, LoadImaged, Resized, Transposed
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from ratios import median_ratio

from monai_mtl.data import MedicalReader
from monai_mtl.engines import bf16_units
from monai_mtl.registry import find_bundles
from monai_mtl.transforms import BreastForeground, ScaleTo8Bitd, SeparableResized

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "bundles" / "hds_inbreast" / "sample_data" / "images"
SIZE = (4084, 3328)
"""Rows and columns of an INbreast mammogram."""
TARGET = (1024, 512)
Step = Callable[[], torch.Tensor]


def mammogram(folder: Path) -> Path:
    """A real mammogram enlarged to the size of INbreast's, with noise of 12 bits, as an uncompressed DICOM file."""
    with Image.open(sorted(SAMPLE.glob("*.*"))[0]) as picture:
        grey = np.asarray(picture.convert("F").resize(SIZE[::-1], Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).integers(0, 16, SIZE)
    pixels = (np.clip(grey, 0, 255) * (4079 / 255) + noise * (grey > 1)).astype(np.uint16)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation = "MG", "MONOCHROME2"
    dataset.Rows, dataset.Columns = SIZE
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
    dataset.PixelData = pixels.tobytes()
    pydicom.dcmwrite(folder / "mammogram.dcm", dataset, enforce_file_format=True)
    return folder / "mammogram.dcm"


def loading(path: Path) -> tuple[Step, Step]:
    """File to a 1024x512 float tensor, area averaging: LoadImage(PydicomReader) and Resize; MedicalReader and ours."""
    theirs = Compose(
        [
            LoadImaged("image", reader="PydicomReader", ensure_channel_first=True),
            Resized("image", TARGET[::-1], mode="area"),
            Transposed("image", (0, 2, 1)),
        ]
    )
    reader = MedicalReader(reverse_indexing=False)
    ours = Compose(
        [
            LoadImaged("image", reader=reader, ensure_channel_first=True),
            SeparableResized("image", TARGET, mode="area"),
        ]
    )
    return (lambda: theirs({"image": path})["image"]), (lambda: ours({"image": path})["image"])


def hds_preprocessing(path: Path) -> tuple[Step, Step]:
    """Preprocessing of hds_inbreast, smoothed and bilinear: with MONAI's reader and Resized; as the bundle has it."""

    def chain(reader: str, resized: type) -> Compose:
        crop = {"margin": [0, 8], "allow_smaller": True}
        return Compose(
            [
                LoadImaged("image", reader=reader, ensure_channel_first=True),
                Transposed("image", (0, 2, 1)),
                CropForegroundd("image", "image", select_fn=BreastForeground("otsu", 0.5), **crop),
                ScaleTo8Bitd("image"),
                resized("image", TARGET, mode="bilinear", anti_aliasing=True),
            ]
        )

    theirs, ours = chain("PydicomReader", Resized), chain("monai_mtl.data.MedicalReader", SeparableResized)

    def plain() -> torch.Tensor:
        case = {"image": path}
        for step in theirs.transforms:
            case = step(case)
            case["image"].meta["bits"] = 12  # MONAI's reader does not tell
        return case["image"]

    return plain, (lambda: ours({"image": path})["image"])


COMPARISONS = {"loading": (loading, 1e-4), "hds_preprocessing": (hds_preprocessing, 1e-4)}
LAYERS = {"deform_conv": bench_deform_conv, "lesion_rcnn": bench_lesion_rcnn}


def compare(theirs: Step, ours: Step, tolerance: float, rounds: int) -> dict[str, float]:
    """Seconds of both and their ratio, after they were shown to agree to ``tolerance`` of the largest value."""
    expected, found = theirs().as_subclass(torch.Tensor), ours().as_subclass(torch.Tensor)
    difference = float((expected - found).abs().max() / expected.abs().max())
    if not difference <= tolerance:
        raise SystemExit(f"the two differ by {difference:.2g} of the largest value, more than {tolerance:.2g}")
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            (theirs, ours)[which]()
            seconds[which].append(time.perf_counter() - start)
    medians = [statistics.median(values) for values in seconds]
    return {
        "rounds": rounds,
        "theirs_s": medians[0],
        "ours_s": medians[1],
        "ratio_of_medians": medians[0] / medians[1],
        **median_ratio(*seconds),
        "difference": difference,
    }


def main(*names: str, rounds: int = 21, write: bool = False, busy: str = "") -> None:
    """Run comparisons and print them.

    Args:
        names: Comparisons, layers and bundles; all by default.
        rounds: Turns that each way gets; a quarter of them for networks, which take longer.
        write: Put what was measured into docs/benchmarks.json and write the page from it.
        busy: What else the machine did meanwhile, told on the page.
    """
    bundles = {bundle.name: bundle for bundle in find_bundles(ROOT)}
    known = (*COMPARISONS, *LAYERS, *bundles)
    unknown = set(names) - set(known)
    if unknown:
        raise SystemExit(f"no comparison {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    warnings.filterwarnings("ignore")
    measured: dict[str, Any] = {"setting": setting(busy), "results": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = mammogram(Path(folder))
        for name in names or known:
            if name in bundles:
                place = Path(folder) / name
                place.mkdir()
                result = bench_bundle(bundles[name], place, max(3, rounds // 4))
            elif name in LAYERS:
                result = LAYERS[name](rounds)
            else:
                make, tolerance = COMPARISONS[name]
                result = compare(*make(path), tolerance, rounds)
            measured["results"][name] = result
            print(json.dumps({name: result}, indent=4))
    if write:
        write_page(measured)


def setting(busy: str) -> dict[str, Any]:
    """Where and with what it was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    versions = {
        name: version(name) for name in ("torch", "monai", "pydicom", "onnxruntime", "openvino") if installed(name)
    }
    units = "bf16 units" if bf16_units() else "no bf16 units"
    threads = torch.get_num_threads()
    load = round(os.getloadavg()[0], 1)
    return {"processor": f"{processor}, {units}", "threads": threads, "versions": versions, "load": load, "busy": busy}


def installed(name: str) -> bool:
    """Whether a package is there."""
    return find_spec(name) is not None


if __name__ == "__main__":
    sys.exit(fire.Fire(main))
