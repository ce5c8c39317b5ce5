"""Make ``bundles/acsnet_busi/sample_data`` from BUS-BRA ultrasound images.

    python scripts/make_acsnet_sample_data.py --source FOLDER_OF_BUS_BRA

20 images of 20 patients, half of them malignant, split by patient; grey, without loss.
"""

from __future__ import annotations

import csv
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sample_folder import begin, finish

SPLITS = {
    "training": ["0847", "0879", "0884", "0889", "0912", "1045", "0261", "0269", "0335", "0344", "0364", "0576"],
    "validation": ["0886", "0924", "0266", "0509"],
    "test": ["0849", "0916", "0298", "0405"],
}
NO_CALIPERS = ("0849", "0886", "1045", "0298")
"""Seen by eye; all others show the crosses of a measurement."""
CLASSES = ["benign", "malignant"]
PROVENANCE = """# Sample data: 20 ultrasound images of the breast
Real images, for a first run and for tests. {counts}

**Origin**: BUS-BRA, Zenodo, doi 10.5281/zenodo.8231412, by way of the public repository
sarah-antillia/TensorFlow-FlexUNet-Image-Segmentation-BUS-BRA (folder mini_test).
**Licence**: CC BY 4.0. The authors ask that research with these data cites their paper.
**Citation**: Gomez-Flores W, Gregorio-Calas MJ, Pereira WCA. BUS-BRA: A Breast Ultrasound Dataset for Assessing
Computer-aided Diagnosis Systems. Medical Physics 51 (2024) 3110-3123, doi 10.1002/mp.16812.
**Changes by others**: padded to a square, resized to 512x512; the mask coloured by the class.
**Changes by us**: a selection; three equal colour channels became one; the mask became 0 and 255, its colour
`label_cls` (0 benign, 1 malignant; by biopsy). `calipers` says whether measuring marks are seen, by eye.

**Limits**: {marked} of 20 images carry the marks by which a reader measured the lesion; they show a network where to
look. The images with the lettering "GE" are all malignant, and malignant and benign images have numbers far apart: they
may come from other scanners and times, which a network can learn instead of the disease. No pixel spacing is
known. Far too few images to learn from in earnest.
"""


def make(source: str, target: str = "bundles/acsnet_busi/sample_data") -> None:
    """Write the sample data.

    Args:
        source: Folder with images/, masks/ and labels.csv of BUS-BRA.
        target: Folder to write, replaced.
    """
    root, out = Path(source), Path(target)
    with (root / "labels.csv").open(newline="") as file:
        rows = {row["patient"]: row for row in csv.DictReader(file)}
    begin(out)
    sections = {name: [_case(rows[one], root, out) for one in patients] for name, patients in SPLITS.items()}
    counts = "; ".join(
        f"{name}: {len(cases)} patients, {sum(c['label_cls'] for c in cases)} malignant"
        for name, cases in sections.items()
    )
    facts = {
        "name": "BUS-BRA, 20 ultrasound images",
        "licence": "CC BY 4.0",
        "reference": "doi 10.5281/zenodo.8231412",
        "classes": {"seg": ["background", "lesion"], "cls": CLASSES},
    }
    marked = sum(case["calipers"] == "yes" for cases in sections.values() for case in cases)
    finish(out, facts, sections, PROVENANCE.format(counts=counts + ".", marked=marked))
    print(counts)


def _case(row: dict, root: Path, out: Path) -> dict:
    name = f"{row['bus_bra_id']}.png"
    Image.open(root / row["image"]).convert("L").save(out / "images" / name, optimize=True)
    mask = np.asarray(Image.open(root / row["mask"]).convert("L")) > 0
    Image.fromarray(mask.astype(np.uint8) * 255).save(out / "masks" / name, optimize=True)
    return {
        "image": f"images/{name}",
        "label_seg": f"masks/{name}",
        "label_cls": CLASSES.index(row["label"]),
        "patient_id": row["patient"],
        "calipers": "no" if row["patient"] in NO_CALIPERS else "yes",
    }


if __name__ == "__main__":
    fire.Fire(make)
