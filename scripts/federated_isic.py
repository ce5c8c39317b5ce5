"""Data and table of the simulation in docs/how-to/federated.md: dermoscopy (ISIC 2017, CC0), nevus or not.

``fold`` writes one rotation as a data set, in grey, since ``acsnet_busi`` takes grey images; ``table`` compares the
four trainings of ``scripts/federated.py`` over rotations, with intervals by image drawn within each rotation.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import fire
import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

RUNS = ("federated", "pooled", "masks", "classes")
WIDTH = 256
VALIDATION = 8
"""Images that report and choose nothing; the last weights are scored."""


def fold(data: str, output: str, number: int) -> None:
    """Write ``dataset.json`` and grey copies; images of one fold test.

    Args:
        data: Folder with ``labels.csv``, whose rows have ``image``, ``mask``, ``isic_id``, ``diagnosis`` and ``fold``.
        output: Folder to write.
        number: The fold that tests.
    """
    place = Path(output)
    sections: dict[str, list[dict]] = {"training": [], "validation": [], "test": []}
    with open(Path(data) / "labels.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["isic_id"])
    others = [row["isic_id"] for row in rows if int(row["fold"]) != number]
    validation = others[::20][:VALIDATION]
    for row in rows:
        name = row["isic_id"]
        for kind in ("image", "mask"):
            with Image.open(Path(data) / row[kind]) as picture:
                size = (WIDTH, WIDTH * picture.height // picture.width)
                small = picture.convert("L").resize(size, None if kind == "image" else Image.Resampling.NEAREST)
            target = place / f"{kind}s" / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            (small if kind == "image" else small.point(lambda value: 255 * (value > 0))).save(target)
        section = "test" if name not in others else "validation" if name in validation else "training"
        case = {"image": f"images/{name}.png", "label_seg": f"masks/{name}.png", "patient_id": name}
        sections[section].append({**case, "label_cls": int(row["diagnosis"] != "nevus")})
    (place / "dataset.json").write_text(json.dumps(sections, indent=1))


def table(*outputs: str, draws: int = 2000) -> None:
    """Print mean Dice and area under the curve of each training, and how far the federation is from each.

    Args:
        outputs: Folders of ``scripts/federated.py``, one a rotation.
        draws: Of an interval.
    """
    scores = {run: [_scores(Path(folder) / run / "eval" / "cases.csv") for folder in outputs] for run in RUNS}
    counts = [len(dice) for dice, _, _ in scores["federated"]]
    generator, drawn = np.random.default_rng(0), {run: [] for run in RUNS}
    for _ in range(draws):
        chosen = [_both_classes(generator, labels) for _, _, labels in scores["federated"]]
        for run in RUNS:
            drawn[run].append(_figures(scores[run], chosen))
    print(f"n = {sum(counts)} test images in {len(outputs)} rotations")
    for run in RUNS:
        values, sample = _figures(scores[run], [np.arange(count) for count in counts]), np.array(drawn[run])
        parts = [f"{value:.3f} ({_interval(sample[:, i])})" for i, value in enumerate(values)]
        least = np.array(drawn["federated"]) - sample
        best = _figures(scores["federated"], [np.arange(count) for count in counts])
        away = [f"{best[i] - values[i]:+.3f} ({_interval(least[:, i])})" for i in range(2)]
        print(f"{run:<10} dice {parts[0]}  auc {parts[1]}  federated minus this: dice {away[0]}  auc {away[1]}")


def _scores(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with open(path, newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["case_id"])
    dice, other = ([float(row[key]) for row in rows] for key in ("dice", "p(other)"))
    return np.array(dice), np.array(other), np.array([row["label"] == "other" for row in rows])


def _both_classes(generator: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    while True:
        chosen = generator.integers(0, len(labels), len(labels))
        if 0 < labels[chosen].sum() < len(labels):
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
    fire.Fire({"fold": fold, "table": table})
