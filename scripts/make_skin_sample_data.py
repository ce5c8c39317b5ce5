"""Make ``bundles/skin_lesion_isic2017/sample_data`` from photos of ISIC 2017.

    python scripts/make_skin_sample_data.py --source FOLDER_OF_ISIC2017

Takes photos of fold 0 only, so that weights trained on the other folds have never seen them; 24 photos, all three
diagnoses in each section.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sample_folder import begin, finish

FOLD = "0"
TAKEN = {"training": 4, "validation": 2, "test": 2}
"""Photos of each diagnosis."""
PROVENANCE = """# Sample data: 24 dermoscopic photos
Real images, for a first run and for tests. {counts}

**Origin**: ISIC 2017 challenge (ISBI 2017), training and validation part, tasks 1 and 3, by way of the public
repositories ranUser01/Melanoma-image-detection-ML and adagige/fyp2021p03g02.
**Licence**: CC0 1.0.
**Citation**: Codella N. et al. Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the 2017 International
Symposium on Biomedical Imaging (ISBI), Hosted by the International Skin Imaging Collaboration (ISIC), arXiv 1710.05006.
**Changes by others**: downsized to 512 pixels at most, JPEG 90; masks averaged and cut at 0.5; some squeezed to
800x500 or 400x250 whatever their shape.
**Changes by us**: a selection. `label_cls` 1 is melanoma, 0 nevus or seborrheic keratosis; `diagnosis` says which.

**Limits**: photos of one patient cannot be told apart in the challenge's tables, so each counts as a patient of its
own. Hair, rulers and ink are in some. Malignant here is melanoma alone. Far too few images to learn from in earnest.
"""


def make(source: str, target: str = "bundles/skin_lesion_isic2017/sample_data") -> None:
    """Write the sample data.

    Args:
        source: Folder with images/, masks/ and labels.csv.
        target: Folder to write, replaced.
    """
    root, out = Path(source), Path(target)
    with (root / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] == FOLD]
    begin(out)
    sections: dict[str, list[dict]] = {name: [] for name in TAKEN}
    for diagnosis in ("nevus", "seborrheic_keratosis", "melanoma"):
        chosen = iter([row for row in rows if row["diagnosis"] == diagnosis])
        for name, count in TAKEN.items():
            sections[name] += [_case(next(chosen), root, out) for _ in range(count)]
    counts = "; ".join(
        f"{name}: {len(cases)} photos, {sum(case['label_cls'] for case in cases)} malignant"
        for name, cases in sections.items()
    )
    facts = {
        "name": "ISIC 2017, 24 dermoscopic photos",
        "licence": "CC0 1.0",
        "reference": "arXiv 1710.05006",
        "classes": {"seg": ["background", "lesion"], "cls": ["benign", "malignant"]},
    }
    finish(out, facts, sections, PROVENANCE.format(counts=counts + "."))
    print(counts)


def _case(row: dict, root: Path, out: Path) -> dict:
    shutil.copy(root / row["image"], out / row["image"])
    mask = np.asarray(Image.open(root / row["mask"]).convert("L")) > 127
    Image.fromarray(mask.astype(np.uint8) * 255).save(out / row["mask"], optimize=True)
    return {
        "image": row["image"],
        "label_seg": row["mask"],
        "label_cls": int(row["benign_malignant"] == "malignant"),
        "patient_id": row["isic_id"],
        "diagnosis": row["diagnosis"],
    }


if __name__ == "__main__":
    fire.Fire(make)
