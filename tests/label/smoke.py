"""Runs the HDS bundle inside MONAI Label's own infer and train tasks; see README.md.

Prints one line a check and exits with 1 if one failed. The weights are random: what is checked is that files,
grids, keys and names fit together.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "stand_in"))

import numpy as np
import torch
from monai.bundle import ConfigParser
from monailabel.tasks.infer.basic_infer import CallBackTypes
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NAME = "hds_inbreast"
SMALL = [256, 128]
"""Height and width for training; the shipped 1024x512 is used for inference."""
IMAGE_MEAN = 90.0
"""Unlike the mean of the sample images, so that weights which were loaded can be told from new ones."""
SPOT_ROWS, SPOT_COLUMNS = range(100, 125), range(23, 46)
"""About one position of the network's class map, off the diagonal, so that x and y cannot be confused."""
failed: list[str] = []


def check(what: str, holds: bool, found: object = "") -> None:
    """Print the outcome of one check and remember a failure."""
    if not holds:
        failed.append(what)
    sys.stdout.write(f"{'ok    ' if holds else 'FAILED'}  {what}{'' if holds else f'; found: {found}'}\n")
    sys.stdout.flush()


def attempt(what: str, step: Callable[..., Any], *args: Any) -> Any:
    """Run a step; an exception is a failed check, and the steps after it still run."""
    try:
        return step(*args)
    except Exception as error:
        logging.exception(what)
        check(what, False, f"{type(error).__name__}: {error}")
        return None


def set_small(bundle: Path) -> None:
    """Edit the copied configs, since MONAI Label passes no sizes: training at 1024x512 takes minutes."""
    for name, changes in (("train", {"image_size": SMALL, "patch_size": SMALL}), ("inference", {"image_size": SMALL})):
        path = bundle / "configs" / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def write_random_weights(bundle: Path) -> None:
    """Write models/model.pt as training does, from a seeded network with statistics of the images."""
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    torch.manual_seed(1)
    network = parser.get_parsed_content("network_def")
    network.image_mean.fill_(IMAGE_MEAN)
    network.image_std.fill_(60.0)
    (bundle / "models").mkdir(exist_ok=True)
    settings = {"image_size": parser["image_size"]}
    torch.save({"model": network.state_dict(), "settings": settings}, bundle / "models" / "model.pt")


def read_weights(bundle: Path) -> dict[str, torch.Tensor]:
    """Weights of models/model.pt."""
    return torch.load(bundle / "models" / "model.pt", weights_only=True)["model"]


def draw_breast(path: Path) -> np.ndarray:
    """Write a half disc at the left border, above the middle, with a brighter spot; return its mask ``(200, 300)``."""
    rows, columns = np.mgrid[:200, :300]
    breast = (rows - 70) ** 2 + columns**2 < 85**2
    grey = np.where(breast, 200, 0).astype(np.uint8)
    grey[np.ix_(SPOT_ROWS, SPOT_COLUMNS)] = 250
    Image.fromarray(grey).save(path, quality=95)
    return breast


def answer_breast(data: dict) -> dict:
    """Replace the network's answer by one that follows the grey values: breast as mask, spot as location."""
    grey = (data["image"].as_tensor() - 100) / 100
    cells = torch.nn.functional.adaptive_avg_pool2d(grey, data["pred"]["cls_map"].shape[1:])
    data["pred"].update(seg=torch.cat([-grey, grey]), cls_map=torch.cat([-cells, cells]))
    return data


def infer(task: BundleInferTask, image: Path, answer: Callable[[dict], dict] | None = None) -> tuple[np.ndarray, dict]:
    """Ask for one image as the server does; check what must hold of any reply."""
    callbacks = {CallBackTypes.INFERER: answer} if answer else {}
    file, params = task({"image": str(image), "device": "cpu"}, callbacks)
    size = Image.open(image).size
    with Image.open(file) as picture:
        kind, mask = (picture.format, picture.size), np.asarray(picture)
    Path(file).unlink()
    check(f"{image.name}: the mask is a PNG of {size[0]}x{size[1]}", kind == ("PNG", size), kind)
    check(f"{image.name}: the mask is uint8, 0 or 1", mask.dtype == np.uint8 and mask.max() <= 1, np.unique(mask))
    result = params.get("classification", {})
    probabilities = result.get("probabilities", {})
    named = list(probabilities) == ["no mass", "mass"] and result.get("label") in probabilities
    check(f"{image.name}: the reply names a class", named, params)
    check(f"{image.name}: probabilities sum to 1", abs(sum(probabilities.values()) - 1) < 1e-5, probabilities)
    json.dumps(params)
    return mask, params


def check_orientation(task: BundleInferTask, image: Path) -> None:
    """The mask lies where the breast is, the place that the reply names where the spot is."""
    breast = draw_breast(image)
    mask, params = infer(task, image, answer_breast)
    same = mask.shape == breast.shape
    overlap = 2 * (mask.astype(bool) & breast).sum() / (mask.sum() + breast.sum()) if same else 0.0
    check(f"{image.name}: the mask covers the breast", overlap > 0.98, f"{mask.shape}, Dice {overlap:.3f}")
    x, y = (int(value) for value in params["location"]["xy"])
    check(f"{image.name}: the location lies in the spot", x in SPOT_COLUMNS and y in SPOT_ROWS, params["location"])


class Studies:
    """What a train task reads of MONAI Label's datastore: pictures with their saved masks."""

    def __init__(self, bundle: Path) -> None:
        folder = bundle / "sample_data"
        cases = json.loads((folder / "dataset.json").read_text())["training"]
        without, with_mass = ([case for case in cases if case["label_cls"] == label] for label in (0, 1))
        chosen = [without[0], with_mass[0], without[1], with_mass[1]]
        self._cases = [{"image": str(folder / c["image"]), "label": str(folder / c["label_seg"])} for c in chosen]

    def datalist(self) -> list[dict]:
        """Cases with ``image`` and ``label``, absolute paths, nothing else."""
        return self._cases


def train(bundle: Path, image: Path) -> None:
    """Train one epoch twice; each must leave other weights, learnt from the masks, that infer."""
    studies, task = Studies(bundle), BundleTrainTask(str(bundle), {})
    inference = BundleInferTask(str(bundle), {})
    request = {"model": NAME, "device": "cpu", "max_epochs": 1, "val_split": 0.5, "multi_gpu": False}
    for run in ("first", "second"):
        before = read_weights(bundle)
        attempt(f"{run} training ends", task, request, studies)
        after = read_weights(bundle)
        changed = [name for name in before if name.endswith("weight") and not torch.equal(before[name], after[name])]
        weights = sum(name.endswith("weight") for name in before)
        check(f"{run} training changes models/model.pt", len(changed) == weights, f"{len(changed)} of {weights}")
        # Biases of the heads start at 0; without a label neither gradient nor weight decay moves them.
        for head in ("seg_paths", "cls_paths"):
            biases = [after[n] for n in after if n.startswith(head) and n.endswith("head.2.bias")]
            still = sum(not bool(bias.any()) for bias in biases)
            check(f"{run} training teaches {head}", bool(biases) and not still, f"{still} of {len(biases)} untouched")
        mean = float(after["image_mean"])
        check(f"{run} training continues from models/model.pt", mean == IMAGE_MEAN, f"image_mean {mean}")
        attempt(f"inference after the {run} training", infer, inference, image)
    default = BundleInferTask(str(bundle), {}).config()["model_filename"][0]
    check("a restarted server takes models/model.pt", default == "model.pt", default)


def main() -> int:
    """Run all checks on a copy of the bundle."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / NAME
        shutil.copytree(ROOT / "bundles" / NAME, bundle, ignore=shutil.ignore_patterns("*.pt", "eval", "predictions"))
        write_random_weights(bundle)
        task = BundleInferTask(str(bundle), {})
        check("MONAI Label takes the bundle", task.is_valid())
        check("it is a 2D segmentation of 'mass'", (task.dimension, task.labels) == (2, {"mass": 1}), task.info())
        sample = min((bundle / "sample_data" / "images").iterdir())
        attempt("inference of a mammogram", infer, task, sample)
        for suffix in ("png", "jpg"):
            attempt(f"orientation, {suffix}", check_orientation, task, Path(folder) / f"half_disc.{suffix}")
        set_small(bundle)
        write_random_weights(bundle)
        attempt("training", train, bundle, sample)
    sys.stdout.write(f"{len(failed)} checks failed\n" if failed else "all checks passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
