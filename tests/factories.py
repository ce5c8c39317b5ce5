"""Small data sets on disk, made for a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def breast(rows: int = 96, columns: int = 80, lesion: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright half disc on black with texture, and the mask of a brighter spot in it (uint8, 0 and 255)."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / (rows / 2.2)) ** 2 + (x / (columns * 0.6)) ** 2 < 1
    image = inside * (90 + 20 * random.rand(rows, columns))
    spot = ((y - rows * 0.4) ** 2 + (x - columns * 0.3) ** 2 < (rows / 10) ** 2) & inside & lesion
    image = image + 90 * spot
    return image.astype(np.uint8), (spot * 255).astype(np.uint8)


def write_datalist(folder: Path, patients: int = 6, images_each: int = 1, sections: bool = True) -> Path:
    """A folder with dataset.json; every second patient has a lesion; four patients train if ``sections``."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    cases = []
    for i in range(patients * images_each):
        patient, lesion = i // images_each, (i // images_each) % 2 == 1
        image, mask = breast(lesion=lesion, seed=i)
        Image.fromarray(image).save(folder / "images" / f"case{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"case{i}.png")
        cases.append(
            {
                "image": f"images/case{i}.png",
                "label_seg": f"masks/case{i}.png",
                "label_cls": int(lesion),
                "patient_id": f"patient{patient}",
            }
        )
    cut = (patients - 2) * images_each
    content = {"training": cases[:cut], "validation": cases[cut:], "test": []} if sections else {"training": cases}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def edit_datalist(folder: Path, change) -> None:
    """Rewrite dataset.json after ``change(content)``."""
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
