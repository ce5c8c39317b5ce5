"""Make ``bundles/hds_inbreast/sample_data`` from the CDD-CESM mammograms.

    python scripts/make_sample_data.py --source FOLDER_OF_CDD_CESM

Takes digital mammograms (modality DM) of fold 3 only, so that weights trained on the other folds have never
seen them; 30 images of 15 patients, half of them with a mass, split by patient.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sample_folder import begin, finish

FOLD = "3"
SPLITS = {
    "training": ["P93", "P184", "P188", "P198", "P115", "P256", "P268", "P94"],
    "validation": ["P206", "P254", "P281"],
    "test": ["P232", "P307", "P326", "P322"],
}
PROVENANCE = """# Sample data: 30 digital mammograms
Real images, for a first run and for tests. {counts}

**Origin**: CDD-CESM, The Cancer Imaging Archive, doi 10.7937/29kw-ae92, low-energy (ordinary digital) images only, by
way of the public repository sarah-antillia/Image-Segmentation-CDD-CESM-Mammogram.
**Licence**: CC BY 4.0.
**Citation**: Khaled R. et al., Categorized Digital Database for Low energy and Subtracted Contrast Enhanced Spectral
Mammography images, TCIA 2021, doi 10.7937/29kw-ae92; Khaled R. et al., Scientific Data 9 (2022), doi
10.1038/s41597-022-01238-0; Clark K. et al., J Digit Imaging 26 (2013) 1045.
**Changes by others**: padded to a square, resized to 512x512, JPEG; masks thresholded.
**Changes by us**: a selection. `label_cls` 1 is "mass" where the radiologists' findings name a mass. The masks of
CDD-CESM outline every finding; for an image without a mass they are replaced by empty ones.

**Limits**: no normal mammograms: an image without a mass shows another finding, so p(mass) is not p(cancer). Outlines
are rough. No pixel spacing is known. Far too few images to learn from in earnest.
"""


def make(source: str, target: str = "bundles/hds_inbreast/sample_data") -> None:
    """Write the sample data.

    Args:
        source: Folder with images/, masks/ and labels.csv of CDD-CESM.
        target: Folder to write, replaced.
    """
    root, out = Path(source), Path(target)
    with (root / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] == FOLD and row["modality"] == "DM"]
    begin(out)
    sections = {
        name: [_case(row, root, out) for row in rows if row["patient"] in patients] for name, patients in SPLITS.items()
    }
    counts = "; ".join(
        f"{name}: {len(cases)} images of {len({c['patient_id'] for c in cases})} patients, "
        f"{sum(c['label_cls'] for c in cases)} with a mass"
        for name, cases in sections.items()
    )
    facts = {
        "name": "CDD-CESM, 30 digital mammograms of fold 3",
        "licence": "CC BY 4.0",
        "reference": "doi 10.7937/29kw-ae92",
        "classes": {"seg": ["background", "mass"], "cls": ["no mass", "mass"]},
    }
    finish(out, facts, sections, PROVENANCE.format(counts=counts + "."))
    print(counts)


def _case(row: dict, root: Path, out: Path) -> dict:
    has_mass = int(row["has_mass"])
    shutil.copy(root / row["image"], out / row["image"])
    mask = np.asarray(Image.open(root / row["mask"]).convert("L")) > 127
    Image.fromarray((mask * bool(has_mass)).astype(np.uint8) * 255).save(out / row["mask"], optimize=True)
    return {
        "image": row["image"],
        "label_seg": row["mask"],
        "label_cls": has_mass,
        "patient_id": row["patient"],
        "view": row["view"],
        "laterality": row["side"],
        "density_acr": row["density_acr"] if row["density_acr"] != "_" else "unknown",
    }


if __name__ == "__main__":
    fire.Fire(make)
