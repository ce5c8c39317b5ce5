"""T11-T13: data sets, as far as the data are at fault."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import CacheDataset
from monai.metrics import DiceMetric
from monai.transforms import Compose, LoadImaged, Resized

from monai_mtl.data import load_datalist
from monai_mtl.errors import DataError, ImageError, own_error
from monai_mtl.metrics import LesionDice
from monai_mtl.transforms import LoadMaskd

from .generate import lesion, picture, pixels
from .special import Special

CLASSES = {"seg": ["background", "mass"]}
SPOILT = ("case2.png", "case4.png")


def data_set(folder: Path) -> Path:
    """Eight images with masks; two files are cut short."""
    for i in range(8):
        image = picture(folder / f"case{i}.png", pixels(8, i))
        picture(folder / f"mask{i}.png", np.roll(lesion(), i, 0) * 255)
        if image.name in SPOILT:
            image.write_bytes(image.read_bytes()[:700])
    cases = [{"image": f"case{i}.png", "label_seg": f"mask{i}.png", "patient_id": f"p{i}"} for i in range(8)]
    content = {"training": cases[:6], "validation": cases[6:], "test": []}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def one_pass_names_all(folder: Path) -> list[str]:
    data_set(folder)
    try:
        load_datalist(folder, CLASSES)
    except DataError as error:
        wrong = [f"the check does not name {name}" for name in SPOILT if name not in str(error)]
    else:
        return ["the check finds nothing"]
    load = LoadImaged("image", reader="monai_mtl.data.MedicalReader")
    try:
        CacheDataset([{"image": str(folder / SPOILT[0])}], load, progress=False)
    except RuntimeError as error:
        named = own_error(error) is not None and SPOILT[0] in str(own_error(error))
        return wrong + ([] if named else ["training does not name the file"])
    return [*wrong, "training reads the file"]


def cache_names(folder: Path) -> tuple[str, str]:
    cases = [{"image": str(data_set(folder) / f"case{i}.png")} for i in range(6)]
    try:
        CacheDataset(cases, LoadImaged("image", image_only=True), progress=False)
    except Exception as error:
        named = sum(name in str(error) for name in SPOILT)
        return ("loud" if named == 2 else "nameless"), f"{type(error).__name__}, names {named} of 2 files"
    return "silent", "reads all"


def other_grids(folder: Path) -> list[dict[str, str]]:
    """An image with a mask of half the size, and one that is turned."""
    image = picture(folder / "a.png", pixels(8))
    half = picture(folder / "half.png", lesion()[::2, ::2] * 255)
    turned = picture(folder / "turned.png", lesion().T * 255)
    return [{"image": str(image), "label_seg": str(mask)} for mask in (half, turned)]


def grids_are_compared(folder: Path) -> list[str]:
    wrong = []
    load = Compose([LoadImaged("image", reader="monai_mtl.data.MedicalReader", ensure_channel_first=True), LoadMaskd()])
    for case in other_grids(folder):
        name = Path(case["label_seg"]).name
        try:
            load(case)
            wrong.append(f"{name} is accepted")
        except RuntimeError as error:
            fault = own_error(error)
            if not isinstance(fault, ImageError) or name not in str(fault) or not fault.fix:
                wrong.append(f"{name}: {fault or error}")
    cases = [{**case, "patient_id": str(i)} for i, case in enumerate(other_grids(folder))]
    sound = picture(folder / "b.png", pixels(8, 1))
    mask = picture(folder / "b_mask.png", lesion() * 255)
    cases.append({"image": str(sound), "label_seg": str(mask), "patient_id": "2"})
    content = {"training": [cases[2]], "validation": cases[:1], "test": [{**cases[1], "image": str(_turned(folder))}]}
    (folder / "dataset.json").write_text(json.dumps(content))
    try:
        load_datalist(folder, CLASSES)
        wrong.append("the check finds nothing")
    except DataError as error:
        wrong += [f"the check does not name {name}" for name in ("half.png", "turned.png") if name not in str(error)]
    return wrong


def _turned(folder: Path) -> Path:
    """Another picture for the turned mask, because no image may stand in two sections."""
    return picture(folder / "c.png", pixels(8, 2))


def resize_hides(folder: Path) -> tuple[str, str]:
    keys = ("image", "label_seg")
    load = Compose([LoadImaged(keys, ensure_channel_first=True), Resized(keys, (16, 24), mode=("area", "nearest"))])
    shapes = []
    for case in other_grids(folder):
        done = load(case)
        shapes.append(done["image"].shape == done["label_seg"].shape)
    return ("silent", f"{sum(shapes)} of 2 pairs have equal shapes after Resized") if any(shapes) else ("loud", "")


def undefined_is_told(_: Path) -> list[str]:
    """Images without a lesion do not count; if none has one, the mean is nan with its reason and 0 cases."""
    empty, full = torch.zeros(1, 48, 32, dtype=torch.uint8), torch.ones(48, 32, dtype=torch.uint8)
    mask = torch.as_tensor(lesion())
    wrong = []
    for prediction in (empty[0], full):
        value, detail = evaluate([(prediction, empty), (prediction, empty)])
        if not math.isnan(value) or detail != {"n": 0, "reason": "no annotated image holds a lesion"}:
            wrong.append(f"all empty: {value}, {detail}")
    value, detail = evaluate([(mask, mask[None]), (full, empty)])
    if value != 1.0 or detail != {"n": 1}:
        wrong.append(f"one lesion: {value}, {detail}")
    return wrong


def evaluate(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[float, dict]:
    """Value and details of LesionDice on these predictions and truths."""
    metric = LesionDice()
    engine = Engine(lambda _, batch: batch)
    metric.attach(engine, "m")
    engine.state.metric_details = {}
    engine.run([[{"pred": p, "seg_target": t, "seg_annotated": True} for p, t in pairs]])
    return engine.state.metrics["m"], engine.state.metric_details["m"]


def empty_is_zero(_: Path) -> tuple[str, str]:
    values = []
    for prediction in (torch.zeros(2, 1, 48, 32), torch.ones(2, 1, 48, 32)):
        metric = DiceMetric()
        metric(prediction, torch.zeros(2, 1, 48, 32))
        values.append(float(metric.aggregate()))
    text = f"Dice {values[0]:g} for nothing predicted, {values[1]:g} for all"
    return ("same" if all(map(math.isnan, values)) else "silent"), text


EVERY = [
    Special("T11", "two of eight files cannot be read", "refused", one_pass_names_all, cache_names),
    Special("T12", "mask of half the size; turned mask", "refused", grids_are_compared, resize_hides),
    Special("T13", "no image of a fold holds a lesion", "same", undefined_is_told, empty_is_zero),
]
