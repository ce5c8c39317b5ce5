"""Data and tables of the simulations in docs/how-to/federated.md.

``cine``: short-axis cine MR of the heart (Sunnybrook, CC0), left ventricle and end-systole or not. ``isic``: dermoscopy
(ISIC 2017, CC0) in grey, since ``acsnet_busi`` takes grey images, nevus or not. Both write one rotation as a data set.
``table`` compares the trainings of ``scripts/federated.py`` over rotations, with intervals by patient drawn within each
rotation.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

RUNS = ("federated", "average", "pooled", "masks", "classes")
WIDTH = 256
VALIDATION = 8
"""Patients, or photos, that report and choose nothing; the last weights are scored."""
CENTRE = (48, 48, 208, 208)
"""Of 256 x 256 pixels: what lies around the heart in every patient."""


def cine(data: str, output: str, number: int) -> None:
    """Write ``dataset.json`` and the middle of each slice; patients of one fold test.

    Args:
        data: Folder with ``labels.csv``, whose rows have ``image``, ``mask``, ``patient``, ``phase`` and ``fold``.
        output: Folder to write.
        number: The fold that tests.
    """
    rows = _rows(Path(data), "image")
    others = sorted({row["patient"] for row in rows if int(row["fold"]) != number})
    cases = []
    for row in rows:
        name = Path(row["image"]).stem
        for kind in ("image", "mask"):
            with Image.open(Path(data) / row[kind]) as picture:
                _save(picture.convert("L").crop(CENTRE), Path(output), kind, name)
        cases.append((name, row["patient"], int(row["phase"] == "ES")))
    _write(Path(output), cases, others, others[::VALIDATION])


def isic(data: str, output: str, number: int) -> None:
    """Write ``dataset.json`` and grey copies; images of one fold test, and each counts as a patient.

    Args:
        data: Folder with ``labels.csv``, whose rows have ``image``, ``mask``, ``isic_id``, ``diagnosis`` and ``fold``.
        output: Folder to write.
        number: The fold that tests.
    """
    rows = _rows(Path(data), "isic_id")
    others = [row["isic_id"] for row in rows if int(row["fold"]) != number]
    cases = []
    for row in rows:
        for kind in ("image", "mask"):
            with Image.open(Path(data) / row[kind]) as picture:
                size = (WIDTH, WIDTH * picture.height // picture.width)
                small = picture.convert("L").resize(size, None if kind == "image" else Image.Resampling.NEAREST)
            _save(small, Path(output), kind, row["isic_id"])
        cases.append((row["isic_id"], row["isic_id"], int(row["diagnosis"] != "nevus")))
    _write(Path(output), cases, others, others[::20][:VALIDATION])


def _rows(data: Path, key: str) -> list[dict[str, str]]:
    with open(data / "labels.csv", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row[key])


def _save(picture: Image.Image, place: Path, kind: str, name: str) -> None:
    target = place / f"{kind}s" / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    (picture if kind == "image" else picture.point(lambda value: 255 * (value > 0))).save(target)


def _write(place: Path, cases: list[tuple[str, str, int]], others: list[str], validation: list[str]) -> None:
    sections: dict[str, list[dict]] = {"training": [], "validation": [], "test": []}
    for name, patient, label in cases:
        section = "test" if patient not in others else "validation" if patient in validation else "training"
        case = {"image": f"images/{name}.png", "label_seg": f"masks/{name}.png", "patient_id": patient}
        sections[section].append({**case, "label_cls": label})
    (place / "dataset.json").write_text(json.dumps(sections, indent=1))


def table(*outputs: str, draws: int = 2000) -> None:
    """Print mean Dice and area under the curve of each training, and how far the first, a federation, is from each.

    Args:
        outputs: Folders of ``scripts/federated.py``, one a rotation.
        draws: Of an interval.
    """
    folders = [Path(folder) for folder in outputs]
    runs = [run for run in RUNS if all((folder / run / "eval" / "cases.csv").is_file() for folder in folders)]
    scores = {run: [_scores(folder / run / "eval" / "cases.csv") for folder in folders] for run in runs}
    patients = [_patients(folder) for folder in folders]
    generator, drawn = np.random.default_rng(0), {run: [] for run in runs}
    for _ in range(draws):
        pairs = zip(patients, scores[runs[0]], strict=True)
        chosen = [_both_classes(generator, names, labels) for names, (_, _, labels) in pairs]
        for run in runs:
            drawn[run].append(_figures(scores[run], chosen))
    images, people = sum(map(len, patients)), sum(len(set(names)) for names in patients)
    print(f"n = {images} test images of {people} patients in {len(outputs)} rotations")
    whole = [np.arange(len(names)) for names in patients]
    first = runs[0]
    best = _figures(scores[first], whole)
    for run in runs:
        values, sample = _figures(scores[run], whole), np.array(drawn[run])
        parts = [f"{value:.3f} ({_interval(sample[:, i])})" for i, value in enumerate(values)]
        least = np.array(drawn[first]) - sample
        away = [f"{best[i] - values[i]:+.3f} ({_interval(least[:, i])})" for i in range(2)]
        print(f"{run:<10} dice {parts[0]}  auc {parts[1]}  {first} minus this: dice {away[0]}  auc {away[1]}")
        folds = [_figures([one], [which]) for one, which in zip(scores[run], whole, strict=True)]
        print(" " * 11 + "by rotation: " + ", ".join(f"{dice:.3f} {auc:.3f}" for dice, auc in folds))


def _scores(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dice, probability of the last class, and whether a case is of it, by name of the case."""
    with open(path, newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["case_id"])
    last = [key for key in rows[0] if key.startswith("p(")][-1]
    dice, likely = ([float(row[key]) for row in rows] for key in ("dice", last))
    return np.array(dice), np.array(likely), np.array([f"p({row['label']})" == last for row in rows])


def _patients(folder: Path) -> np.ndarray:
    """Of the test cases, by name of the case."""
    cases = json.loads((folder / "whole" / "pooled" / "dataset.json").read_text())["test"]
    return np.array([case["patient_id"] for case in sorted(cases, key=lambda case: Path(case["image"]).stem)])


def _both_classes(generator: np.random.Generator, patients: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cases of drawn patients, again until both classes are among them."""
    names = sorted(set(patients))
    while True:
        chosen = np.concatenate([np.flatnonzero(patients == name) for name in generator.choice(names, len(names))])
        if 0 < labels[chosen].sum() < len(chosen):
            return chosen


def _figures(scores: list[tuple[np.ndarray, np.ndarray, np.ndarray]], chosen: list[np.ndarray]) -> tuple[float, float]:
    """Mean Dice over all images; area under the curve of each rotation, weighted by its images."""
    dice = np.concatenate([one[0][which] for one, which in zip(scores, chosen, strict=True)]).mean()
    areas = [roc_auc_score(one[2][which], one[1][which]) for one, which in zip(scores, chosen, strict=True)]
    return float(dice), float(np.average(areas, weights=[len(which) for which in chosen]))


def _interval(values: np.ndarray) -> str:
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{low:.3f} to {high:.3f}"


if __name__ == "__main__":
    fire.Fire({"cine": cine, "isic": isic, "table": table})
