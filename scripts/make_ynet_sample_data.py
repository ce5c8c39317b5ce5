"""Make ``sample_data`` and ``sample_tiles`` of ``bundles/ynet_biopsy``.

    python scripts/make_ynet_sample_data.py --colorectal FOLDER_OF_EBHI_SEG --tiles FOLDER_OF_YNET_TILES

``sample_data``: 18 images of 13 colorectal biopsies with a mask of the glands and a grade, a stand-in for breast
biopsies, whose diagnoses are not public. ``sample_tiles``: the five breast tiles of the Y-Net authors, with tissues and
without diagnoses, in the form of their lists. Images of one case or slide are in one section.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sample_folder import begin, finish

BUNDLE = Path("bundles/ynet_biopsy")
SIDE = 384
"""Pixels of a tile."""
GRADES = ["normal", "polyp", "low_grade_in", "high_grade_in", "adenocarcinoma", "serrated_adenoma"]
SPLITS = {
    "training": [
        *("GT2013128", "GT2017148", "GT2012237", "GT2001814", "GT2012156", "GT2001837", "GTDC2102188"),
    ],
    "validation": ["GT2100144", "GT2012232", "GT2001838"],
    "test": ["GT2012286", "GT2012149", "GT2014783"],
}
LISTS = {"train": ("1222", "1339", "1529"), "val": ("2204",)}
PROVENANCE = """# Sample data: 18 images of colorectal biopsies, a stand-in
Real images, stained with haematoxylin and eosin, x400, for a first run and for tests. **They are no breast biopsies**:
of those no diagnosis is public. {counts}

**Origin**: EBHI-SEG, figshare, doi 10.6084/m9.figshare.21540159, by way of the public repository
sarah-antillia/TensorFlow-FlexUNet-Image-Segmentation-EBHI-Colorectal-Cancer (folder mini_test, commit
1e5e90dc864eb978e6e3a39ee70078fc8ecec3f2).
**Licence**: CC BY 4.0, as that repository states it for the set; the page of the set itself was not read.
**Citation**: Shi L et al. EBHI-Seg: A novel enteroscope biopsy histopathological hematoxylin and eosin image dataset
for image segmentation tasks. Frontiers in Medicine 10 (2023) 1114673.
**Changes by others**: enlarged from 224x224 to 512x512; the mask coloured by the grade.
**Changes by us**: a selection; resized to {side}x{side}, the size of a tile; the mask became 0 and 255, its colour
`label_cls`. Which colour means which grade was inferred from the order of the names, and fits the look of the images.

**Limits**: a pixel is gland (or tumour) or not, an image has one of six grades: neither the eight tissues nor the four
diagnoses of the paper. `dataset.json` names these classes and a training takes them from there. `patient_id` is the
case of the set; images of one case are in one section. Two cases a grade, three of normal: far too few to learn from in
earnest, and validation and test each hold three grades only. No pixel spacing is known.
"""
TILES = """# Five breast tiles of the Y-Net authors
Tiles of 384x384 pixels of breast biopsies, stained with haematoxylin and eosin, with the eight tissues of the paper (0
background, 1 benign epithelium, 2 malignant epithelium, 3 normal stroma, 4 desmoplastic stroma, 5 secretion, 6 blood, 7
necrosis). Their list says diagnosis 0, none, for each: no diagnosis can be learnt or scored with them.

**Origin**: the sample data of the public repository sacmehta/YNet (stage1/data).
**Licence**: MIT, `LICENSE` beside this file, the repository's own.
**Citation**: Mehta S, Mercan E, Bartlett J, Weaver D, Elmore J, Shapiro L. Y-Net: Joint Segmentation and Classification
for Diagnosis of Breast Biopsy Images. MICCAI 2018, arXiv 1806.01313.
**Changes by us**: none in the pictures; the lists are ours. File names are case_region_x_y_scale; the two tiles of case
1222 are both in `train.txt`.

**Limits**: four cases. One tile holds practically one tissue, another only two, and necrosis does not occur.
"""


def make(colorectal: str, tiles: str, target: str = str(BUNDLE)) -> None:
    """Write both sets.

    Args:
        colorectal: Folder with images/, masks/ and labels.csv of EBHI-SEG.
        tiles: Folder with rgb/, annot/ and LICENSE of the Y-Net authors.
        target: Folder of the bundle; its sample_data/ and sample_tiles/ are replaced.
    """
    print(_colorectal(Path(colorectal), Path(target) / "sample_data"))
    print(_tiles(Path(tiles), Path(target) / "sample_tiles"))


def _colorectal(root: Path, out: Path) -> str:
    with (root / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    begin(out)
    sections = {
        name: [_case(row, root, out) for case in cases for row in rows if row["case"] == case]
        for name, cases in SPLITS.items()
    }
    counts = "; ".join(
        f"{name}: {len(cases)} images of {len({case['patient_id'] for case in cases})} cases"
        for name, cases in sections.items()
    )
    facts = {
        "name": "EBHI-SEG, 18 images of colorectal biopsies",
        "licence": "CC BY 4.0",
        "reference": "doi 10.6084/m9.figshare.21540159",
        "classes": {"seg": ["background", "gland"], "cls": GRADES},
    }
    finish(out, facts, sections, PROVENANCE.format(counts=counts + ".", side=SIDE))
    return counts


def _case(row: dict, root: Path, out: Path) -> dict:
    name = Path(row["image"]).name.partition("-")[2]  # without the letter that the repository put before it
    image, mask = (Image.open(root / row[key]) for key in ("image", "mask"))
    image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(out / "images" / name, optimize=True)
    gland = Image.fromarray((np.asarray(mask.convert("L")) > 0).astype(np.uint8) * 255)
    gland.resize((SIDE, SIDE), Image.Resampling.NEAREST).save(out / "masks" / name, optimize=True)
    return {
        "image": f"images/{name}",
        "label_seg": f"masks/{name}",
        "label_cls": GRADES.index(row["label"]),
        "patient_id": row["case"],
    }


def _tiles(root: Path, out: Path) -> str:
    shutil.rmtree(out, ignore_errors=True)
    counts = []
    for section, cases in LISTS.items():
        lines = []
        for kind in ("rgb", "annot"):
            (out / f"{section}{kind}").mkdir(parents=True)
        for path in sorted(root.glob("rgb/*.png")):
            if path.name.partition("_")[0] in cases:
                for kind in ("rgb", "annot"):
                    (out / f"{section}{kind}" / path.name).write_bytes((root / kind / path.name).read_bytes())
                lines.append(f"/{section}rgb/{path.name}, /{section}annot/{path.name}, 0")
        (out / f"{section}.txt").write_text("\n".join(lines) + "\n")
        counts.append(f"{section}: {len(lines)} tiles")
    (out / "LICENSE").write_bytes((root / "LICENSE").read_bytes())
    (out / "PROVENANCE.md").write_text(TILES)
    return "; ".join(counts)


if __name__ == "__main__":
    fire.Fire(make)
