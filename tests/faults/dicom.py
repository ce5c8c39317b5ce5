"""D1-D24: DICOM."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.decoders import JPEGLosslessSV1Decoder, JPEGLSLosslessDecoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from .case import Fault, Refused, Same
from .dicom_oracle import gdcm_crc, modality_lut, palette, segmented_palette, voi_lut
from .generate import colours, first, mammogram, picture, pixels, real, write_dicom
from .special import Guarded, Private

RAW = pixels()
NAMES = ("Planted^Name", "MRN-4711-X", "19610203")
LONG = (1 << 32) - 1


def one(stored: np.ndarray | None = None, **tags):
    """A generator of one synthetic mammogram."""
    return lambda folder: write_dicom(folder / "a.dcm", mammogram(stored, **tags))


def spacing(x: float, y: float, source: str) -> Same:
    return Same(RAW, {"spacing": [x, y], "spacing_source": source})


def windowed() -> np.ndarray:
    """The linear window of PS3.3 C.11.2.1.2.1 for centre 2000 and width 1500, to 12 bits."""
    return np.clip(((RAW - 1999.5) / 1499 + 0.5) * 4095, 0, 4095)


def rgb_frames(count: int) -> np.ndarray:
    return np.stack([pixels(12, seed) for seed in range(count)])


def frames(folder: Path) -> Path:
    held = rgb_frames(3)
    dataset = mammogram(held[0], NumberOfFrames=3)
    dataset.PixelData = held.tobytes()
    return write_dicom(folder / "a.dcm", dataset)


def j2k(folder: Path) -> Path:
    dataset = mammogram()
    dataset.compress(JPEG2000Lossless, RAW, encoding_plugin="pylibjpeg")
    return write_dicom(folder / "a.dcm", dataset)


def deflate_bomb(folder: Path) -> Path:
    """A data set of 400 MB, of zeros."""
    path = write_dicom(folder / "bomb.dcm", mammogram(Rows=20000, Columns=10000, PixelData=b""))
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    meta = pydicom.filereader.read_file_meta_info(path)
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    short = pydicom.FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    short.SOPClassUID, short.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    head = write_dicom(path, short).read_bytes()
    head = head[: 144 + int.from_bytes(head[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = [packer.compress(content[start:-12] + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 400_000_000))]
    body += [packer.compress(bytes(1_000_000)) for _ in range(400)]
    path.write_bytes(head + b"".join([*body, packer.flush()]))
    return path


def nested(folder: Path) -> Path:
    """5000 sequences, each inside the one before."""
    path = write_dicom(folder / "deep.dcm", mammogram())
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    opening = struct.pack("<HH2sHIHHI", 0x0008, 0x1140, b"SQ", 0, LONG, 0xFFFE, 0xE000, LONG)
    closing = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    path.write_bytes(content[:start] + opening * 5000 + closing * 5000 + content[start:])
    return path


def halves(folder: Path) -> list[Path]:
    whole = one()(folder).read_bytes()
    (folder / "a.dcm").unlink()
    (folder / "half.dcm").write_bytes(whole[: -RAW.nbytes // 2])
    (folder / "header.dcm").write_bytes(whole[: -RAW.nbytes])
    bare = write_dicom(folder / "no_pixels.dcm", mammogram(PixelData=None))
    return [folder / "half.dcm", folder / "header.dcm", bare, real(folder, "rtplan.dcm")]


def empty(folder: Path) -> Path:
    (folder / "empty.dcm").write_bytes(b"")
    return folder / "empty.dcm"


def bare(folder: Path) -> Path:
    path = one()(folder)
    path.write_bytes(path.read_bytes()[132:])
    return path


def series(folder: Path) -> Path:
    place = folder / "study"
    place.mkdir()
    for number in range(4):
        name = f"1.2.826.0.1.3680043.8.498.7{number // 2}"
        write_dicom(place / f"{number}.dcm", mammogram(pixels(12, number), SeriesInstanceUID=name))
    return place


def bad_text(tag: str, value: bytes):
    """A mammogram whose ``tag`` holds ``value``, which its type does not allow."""

    def make(folder: Path) -> Path:
        path = one(**{tag: 77})(folder)
        path.write_bytes(path.read_bytes().replace(b"IS\x02\x0077", b"IS\x02\x00" + value))
        return path

    return make


@contextmanager
def without_libjpeg() -> Iterator[None]:
    """As if ``pylibjpeg-libjpeg`` were not installed."""
    decoders = (JPEGLosslessSV1Decoder, JPEGLSLosslessDecoder)
    held = [dict(decoder._available) for decoder in decoders]
    for decoder in decoders:
        decoder._unavailable["pylibjpeg"] = ("pylibjpeg-libjpeg",)
        decoder._available.pop("pylibjpeg", None)
    try:
        yield
    finally:
        for decoder, available in zip(decoders, held, strict=True):
            decoder._available.update(available)
            decoder._unavailable.pop("pylibjpeg", None)


def identity() -> dict[str, str]:
    name, number, birth = NAMES
    people = {"PatientName": name, "PatientID": number, "PatientBirthDate": birth}
    return people | {"ReferringPhysicianName": name, "AccessionNumber": number, "StudyDate": birth}


def rgb_file(folder: Path) -> Path:
    three = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    return write_dicom(folder / "us.dcm", mammogram(colours(), Modality="US", **three))


RGB = {"color": "rgb"}
EVERY = [
    Fault("D1", "MONOCHROME1", one(PhotometricInterpretation="MONOCHROME1"), Same(4095 - RAW)),
    Fault(
        *("D1", "MONOCHROME1, a real CR of 15 bits", lambda f: real(f, "RG1_UNCR.dcm")),
        Same(lambda p: 32767 - pydicom.dcmread(p).pixel_array, {"bits": 15, "photometric": "MONOCHROME1"}),
    ),
    Fault("D2", "a mammogram has two axes", one(), Same(RAW, {"bits": 12, "modality": "MG", "voi": "none"})),
    Fault("D3", "PixelSpacing, no orientation", one(PixelSpacing=[0.07, 0.07]), spacing(0.07, 0.07, "PixelSpacing")),
    Fault(
        *("D3", "ImagerPixelSpacing and magnification 1.4"),
        one(ImagerPixelSpacing=[0.07, 0.07], EstimatedRadiographicMagnificationFactor="1.4"),
        spacing(0.05, 0.05, "ImagerPixelSpacing / magnification"),
    ),
    Fault(
        *("D3", "ImagerPixelSpacing alone", one(ImagerPixelSpacing=[0.07, 0.07])),
        spacing(0.07, 0.07, "ImagerPixelSpacing (detector plane)"),
    ),
    Fault("D3", "no spacing", one(), spacing(np.nan, np.nan, "none")),
    Fault("D4", "spacing 0.1 by 0.05", one(PixelSpacing=[0.1, 0.05]), spacing(0.05, 0.1, "PixelSpacing")),
    Fault("D5", "modality LUT, VOI LUT, window", lambda f: real(f, "mlut_18.dcm"), Same(modality_lut)),
    Fault("D5", "window, not asked for", one(WindowCenter=2000, WindowWidth=1500), Same(RAW, {"voi": "none"})),
    Fault(
        *("D5", "window, asked for", one(WindowCenter=2000, WindowWidth=1500)),
        *(Same(windowed(), {"voi": "voi"}, tolerance=1e-2), {"voi": "voi"}),
    ),
    Fault(
        *("D5", "VOI LUT, asked for", lambda f: real(f, "vlut_04.dcm"), Same(voi_lut, {"voi": "voi"}), {"voi": "voi"}),
    ),
    Fault(
        *("D5", "percentiles, asked for", one()),
        *(Same(np.clip(RAW, *np.percentile(RAW, (0.5, 99.5))), tolerance=1), {"voi": "percentile"}),
    ),
    Fault("D5", "rescale", one(RescaleSlope=2, RescaleIntercept=-1024), Same(2.0 * RAW - 1024)),
    Fault("D6", "palette ultrasound", lambda f: real(f, "OBXXXX1A.dcm"), Same(palette), RGB),
    Fault("D7", "RGB ultrasound", rgb_file, Same(first(colours())), RGB),
    Fault("D7", "RGB ultrasound where grey is expected", rgb_file, Refused("colour")),
    Fault("D8", "three frames", frames, Refused("frames", "3 frames")),
    Fault("D8", "three frames, the second asked for", frames, Same(rgb_frames(3)[1]), {"frame": 1}),
    Fault("D9", "Rows says 4000 of 48", one(Rows=4000), Refused("unreadable")),
    Fault("D10", "Rows says 24 of 48", one(Rows=24), Refused("unreadable")),
    Fault(
        *("D11", "65535 x 65535 x 1000 in 4 kB", one(Rows=65535, Columns=65535, NumberOfFrames=1000)),
        Refused("budget"),
    ),
    Fault("D12", "deflated: 400 kB become 400 MB", deflate_bomb, Refused("budget")),
    Fault("D13", "5000 nested sequences", nested, Refused("unreadable")),
    Fault("D14", "half of the pixels, header only, no PixelData, RTPLAN", halves, Refused("unreadable")),
    Fault("D15", "zero bytes", empty, Refused("unreadable", "empty")),
    Fault("D16", "no preamble", bare, Refused("unreadable", "preamble")),
    Fault("D16", "no preamble, forced", bare, Same(RAW), {"force": True}),
    Fault(
        *("D17", "PNG named .dcm", lambda f: picture(f / "a.png", pixels(8)).rename(f / "a.dcm")),
        Refused("name", "PNG file by its content"),
    ),
    Fault("D18", "JPEG 2000, lossless", j2k, Same(RAW, {"bits": 12})),
    Fault(
        *("D19", "JPEG-LS", lambda f: real(f, "MR_small_jpeg_ls_lossless.dcm")),
        Same(lambda p: pydicom.dcmread(real(p.parent, "MR_small.dcm")).pixel_array),
    ),
    Fault(
        *("D19", "JPEG Lossless", lambda f: real(f, "JPGLosslessP14SV1_1s_1f_8b.dcm")),
        Same(lambda p: gdcm_crc(p, 4066046760)),
    ),
    Guarded(
        *("D19", "JPEG Lossless and JPEG-LS without their decoder"),
        lambda f: [real(f, "MR_small_jpeg_ls_lossless.dcm"), real(f, "JPGLosslessP14SV1_1s_1f_8b.dcm")],
        *(Refused("unreadable", "pip install"),),
        around=without_libjpeg,
    ),
    Fault(
        *("D20", "16-bit segmented palette", lambda f: real(f, "gdcm-US-ALOKA-16.dcm")),
        *(Same(segmented_palette, tolerance=1), RGB),
    ),
    Fault("D20", "the same where grey is expected", lambda f: real(f, "gdcm-US-ALOKA-16.dcm"), Refused("colour")),
    Fault("D21", "'1A' in a number that is not needed", bad_text("SeriesNumber", b"1A"), Same(RAW)),
    Fault("D21", "'1A' in a number that is needed", bad_text("NumberOfFrames", b"1A"), Refused("unreadable")),
    Fault("D22", "folder of two series", series, Refused("unreadable", "series of 2")),
    Fault("D23", "garbage in the four unused bits", one(RAW | pixels(4, 9).astype(np.uint16) << 12), Same(RAW)),
    Private("D24", "identity in the header", one(**identity()), Same(RAW), words=NAMES),
]
"""The first entry of each, whose outcome is published."""
