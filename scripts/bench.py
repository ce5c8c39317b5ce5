"""Speed as ratios: two ways to do the same thing, in turns, in one run.

python scripts/bench.py                     all comparisons
python scripts/bench.py loading --rounds 31 one of them, longer

Each pair is first shown to give the same numbers. Seconds depend on the machine and its load, ratios hardly.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import fire
import numpy as np
import pydicom
import torch
from monai.transforms import Compose, CropForegroundd, LoadImaged, Resized, Transposed
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from monai_mtl.data import MedicalReader
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
    ratios = sorted(a / b for a, b in zip(*seconds, strict=True))
    medians = [statistics.median(values) for values in seconds]
    return {
        "rounds": rounds,
        "theirs_s": medians[0],
        "ours_s": medians[1],
        "ratio_of_medians": medians[0] / medians[1],
        "median_ratio": statistics.median(ratios),
        "lower_quartile": ratios[len(ratios) // 4],
        "upper_quartile": ratios[-1 - len(ratios) // 4],
        "difference": difference,
    }


def main(*names: str, rounds: int = 21, out: str = "") -> None:
    """Run comparisons and print their ratios.

    Args:
        names: Which; all by default.
        rounds: Turns that each of the two gets.
        out: JSON file to write.
    """
    unknown = set(names) - set(COMPARISONS)
    if unknown:
        raise SystemExit(f"no comparison {', '.join(sorted(unknown))}; there are {', '.join(COMPARISONS)}")
    warnings.filterwarnings("ignore")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        path = mammogram(Path(folder))
        for name in names or COMPARISONS:
            make, tolerance = COMPARISONS[name]
            print(f"{name}: {(make.__doc__ or '').strip()}")
            result = compare(*make(path), tolerance, rounds)
            results[name] = result
            print(
                f"  {result['theirs_s']:.3f} s and {result['ours_s']:.3f} s, ratio of medians "
                f"{result['ratio_of_medians']:.1f} (of {rounds} rounds half between {result['lower_quartile']:.1f} and "
                f"{result['upper_quartile']:.1f}); largest difference {result['difference']:.1g} of the largest value"
            )
    setting = {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    if out:
        Path(out).write_text(json.dumps({"setting": setting, "results": results}, indent=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(fire.Fire(main))
