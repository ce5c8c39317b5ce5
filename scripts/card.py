"""Weights of a run into a bundle, and the numbers of its model card out of these weights.

python scripts/card.py ship hds_inbreast RUN/models DATA     model.pt of a training becomes models/model.safetensors
python scripts/card.py thresholds hds_inbreast RUN/models DATA   Dice of the validation cases at thresholds of the mask
python scripts/card.py write hds_inbreast DATA               evaluates them, writes docs/results.json and the card
python scripts/card.py check hds_inbreast DATA               evaluates them, and compares with docs/results.json

RUN was trained with the bundle's recipe: an overlay in its configs, or several, the last one for the last of several
trainings. Only test patients are evaluated; the constant
mask is chosen on the training ones.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fire
import numpy as np
import torch
from card_text import ROOT, figure_rows, interval, number, put_into_card
from monai.bundle import ConfigWorkflow
from PIL import Image
from tqdm import tqdm

from monai_mtl.bundle.weights import ship_weights
from monai_mtl.data import digest_of
from monai_mtl.metrics import CLEAN, MEASURE_SETS, CaseTable, measure_all, paired_difference, score_case
from monai_mtl.metrics.constant_mask import best_constant_mask
from monai_mtl.metrics.image_measures import calibration_bins
from monai_mtl.outputs.overlay import contact_sheet
from monai_mtl.outputs.result_json import software_versions, write_json

WEIGHTS = "models/model.safetensors"
RECIPE = ("cdd_cesm", "cdd_cesm_2")
AIMS = {"hds_inbreast": {"dice_lesion": 0.40, "auc": 0.75}}
"""Set before the training."""
SUBGROUP_FIGURES = ("dice_lesion", "auc")
ENOUGH = 30
"""Test images below which the card has tables alone: no verdict, subgroups, calibration, failures."""
TITLES = {"clean": "Clean figures", "clean_classes": "Clean figures"}
TITLES |= dict.fromkeys(("hds_paper", "acsnet_paper", "ynet_paper"), "By the rules of the paper's code")
TITLES |= {"fcn_paper": "The figures that the paper names", "isic": "By the challenge's rules", "boxes": "Boxes"}


def ship(bundle: str, models: str, data: str, recipe: str | Sequence[str] = RECIPE, **facts: Any) -> None:
    """Write ``models/model.safetensors``.

    Args:
        bundle: Name.
        models: Folder with ``model.pt`` of the training.
        data: The data set.
        recipe: Overlays that it was trained with.
        **facts: What else is worth knowing of the training, such as ``--hours 1.5 --processor "..."``.
    """
    sections = _workflow(bundle, recipe, data).parser.get_parsed_content("datalist")
    provenance = {
        "recipe": recipe if isinstance(recipe, str) else list(recipe),
        "datalist": {name: _digest(cases) for name, cases in sections.items()},
        "cases": {name: len(cases) for name, cases in sections.items()},
        "patients": {
            name: len({case.get("patient_id") or case["case_id"] for case in cases}) for name, cases in sections.items()
        },
        "software": software_versions(),
        **facts,
    }
    ship_weights(Path(models) / "model.pt", ROOT / "bundles" / bundle / WEIGHTS, provenance)


def thresholds(bundle: str, models: str, data: str, recipe: str | Sequence[str] = RECIPE) -> None:
    """Print the Dice on lesion images of the validation cases, which may choose, at thresholds of the mask.

    Args:
        bundle: Name.
        models: Folder with ``model.pt`` of the training.
        data: The data set.
        recipe: Overlays that it was trained with.
    """
    torch.set_num_threads(1)
    cases = {"validate#dataset#data": "$@datalist['validation']"}
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        with tempfile.TemporaryDirectory() as scratch:
            settings = {"checkpoint": str(Path(models) / "model.pt"), "output_dir": scratch, "interval_draws": 0}
            _workflow(bundle, recipe, data, "evaluate", mask_threshold=threshold, **cases, **settings).run()
            dice = json.loads((Path(scratch) / "metrics.json").read_text())["tables"]["clean"]["dice_lesion"]
        print(f"threshold {threshold}: Dice {number(dice['value'])} (n={dice['n']})")


def write(bundle: str, data: str, recipe: str | Sequence[str] = RECIPE, ablation: str | None = None) -> None:
    """Evaluate, write ``docs/results.json`` and ``docs/failures.jpg``, and put the tables into the card.

    Args:
        bundle: Name.
        data: The data set.
        recipe: Overlays that the weights were trained with.
        ablation: Folder of a finished ``monai-mtl ablate`` with the same recipe.
    """
    docs = ROOT / "bundles" / bundle / "docs"
    with tempfile.TemporaryDirectory() as scratch:
        results = _evaluate(bundle, data, recipe, Path(scratch))
        if "constant_mask" in results:
            _failures(results, Path(scratch)).convert("RGB").save(docs / "failures.jpg", quality=85)
    del results["rows"]
    if ablation is not None:
        results["ablation"] = (Path(ablation) / "table.md").read_text()
    elif (docs / "results.json").is_file():
        results["ablation"] = json.loads((docs / "results.json").read_text()).get("ablation")
    write_json(docs / "results.json", results)
    # What is read back is what was written: None for nan.
    put_into_card(docs / "README.md", _card(bundle, json.loads((docs / "results.json").read_text())))


def check(bundle: str, data: str, recipe: str | Sequence[str] = RECIPE) -> None:
    """Evaluate again and compare every number with ``docs/results.json``, to four digits.

    Args:
        bundle: Name.
        data: The data set.
        recipe: Overlays that the weights were trained with.
    """
    stated = json.loads((ROOT / "bundles" / bundle / "docs" / "results.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        found = _evaluate(bundle, data, recipe, Path(scratch))
        write_json(Path(scratch) / "found.json", found)
        found = json.loads((Path(scratch) / "found.json").read_text())
    names = ("cases", "patients", "tables", "subgroups", "constant_mask", "area_prior", "calibration")
    differing = [d for name in names for d in _differences(stated.get(name), found.get(name), name)]
    print("\n".join(differing) or "every number of the card came out again")
    sys.exit(1 if differing else 0)


def _differences(one: Any, other: Any, where: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [d for key in keys for d in _differences(one.get(key), other.get(key), f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for i, pair in enumerate(zip(one, other, strict=True)) for d in _differences(*pair, f"{where}.{i}")]
    same = (
        math.isclose(one, other, abs_tol=5e-5) if isinstance(one, float) and isinstance(other, float) else one == other
    )
    return [] if same else [f"{where}: {one} stated, {other} found"]


def _patient(case: dict) -> str:
    """Where none is known, each case counts as one."""
    return case.get("patient_id") or case["case_id"]


def _digest(cases: list[dict]) -> str:
    """Of names and classes; paths differ between machines."""
    return digest_of(sorted([case["case_id"], case.get("label_cls")] for case in cases))


def _workflow(bundle: str, recipe: str | Sequence[str], data: str, *overlays: str, **settings: Any) -> ConfigWorkflow:
    folder = ROOT / "bundles" / bundle
    recipes = [recipe] if isinstance(recipe, str) else recipe
    files = [str(folder / "configs" / f"{name}.json") for name in ("train", *recipes, *overlays)]
    flow = ConfigWorkflow(
        files, logging_file=False, bundle_root=str(folder), dataset_dir=data, precision="fp32", **settings
    )
    flow.initialize()
    return flow


def _evaluate(bundle: str, data: str, recipe: str | Sequence[str], scratch: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    weights = str(ROOT / "bundles" / bundle / WEIGHTS)
    flow = _workflow(bundle, recipe, data, "evaluate", checkpoint=weights, output_dir=str(scratch))
    flow.run()
    results = json.loads((scratch / "metrics.json").read_text())
    results["rows"] = scores = json.loads((scratch / "scores.json").read_text())
    if "clean" not in results["tables"] or results["cases"] < ENOUGH:
        return results
    table = CaseTable.from_rows(scores)
    constant = CaseTable.from_rows(_constant_rows(flow, scores))
    measures = {"dice_lesion": CLEAN["dice_lesion"]}
    results["constant_mask"] = {
        "dice_lesion": CLEAN["dice_lesion"].compute(constant).value,
        "difference": paired_difference(constant, table, measures),
    }
    if "isic" in results["tables"]:
        jaccard = {"jaccard": MEASURE_SETS["isic"]["jaccard"]}
        results["constant_mask"]["jaccard"] = jaccard["jaccard"].compute(constant).value
        results["constant_mask"]["difference"] |= paired_difference(constant, table, jaccard)
        results["area_prior"] = _area_prior(table, scores)
    results["calibration"] = calibration_bins(table)
    return results


def _area_prior(table: CaseTable, scores: list[dict]) -> dict[str, Any]:
    """The class told by the size of the annotated lesion alone: the larger, the likelier the last class."""
    sizes = [(row["tp"] + row["fn"]) / sum(row[key] for key in ("tp", "fp", "fn", "tn")) for row in scores]
    prior = CaseTable.from_rows([{**row, "probability": size} for row, size in zip(scores, sizes, strict=True)])
    auc = {"auc": CLEAN["auc"]}
    return {**measure_all(prior, auc, draws=1000), "difference": paired_difference(prior, table, auc)}


def _constant_rows(flow: ConfigWorkflow, scores: list[dict]) -> list[dict]:
    """The test cases as the best constant mask of the training cases answers them."""
    prepare = flow.parser.get_parsed_content("validate#preprocessing")
    sections = flow.parser.get_parsed_content("datalist")

    def truth(case: dict) -> np.ndarray:
        return np.asarray(prepare(case)["label_seg"])[0] > 0

    masks = [truth(case) for case in tqdm(sections["training"], desc="training masks", disable=None)]
    constant = best_constant_mask([mask for mask in masks if mask.any()])
    patients = {row["case_id"]: row["patient_id"] for row in scores}
    found = []
    for case in sections["test"]:
        mask, name = truth(case), case["case_id"]
        one = score_case(name, patients[name], mask, constant, constant.astype(np.float32), 0.0, math.nan)
        found.append(one.to_json() | {"patient_id": patients[name]})
    order = {row["case_id"]: i for i, row in enumerate(scores)}
    return sorted(found, key=lambda row: order[row["case_id"]])


def _failures(results: dict[str, Any], scratch: Path) -> Image.Image:
    """The four worst masks of images with a lesion, and the four most wrong classes."""
    rows = [row for row in results["rows"] if row.get("label") is not None]
    massive = sorted((row for row in rows if row["tp"] + row["fn"]), key=_dice)
    wrong = sorted(rows, key=lambda row: abs(row["probability"] - row["label"]), reverse=True)
    names = list(dict.fromkeys([row["case_id"] for row in massive[:4]] + [row["case_id"] for row in wrong]))[:8]
    pictures = [Image.open(scratch / "overlays" / f"{name}.png") for name in names]
    return contact_sheet(pictures, "Failures: four masks with the smallest Dice, then the most wrong classes")


def _dice(row: dict[str, Any]) -> float:
    total = 2 * row["tp"] + row["fp"] + row["fn"]
    return 2 * row["tp"] / total if total else 0.0


def _card(bundle: str, results: dict[str, Any]) -> list[str]:
    lines = [f"{results['cases']} test images of {results['patients']} patients; {results['interval']}."]
    if "constant_mask" in results:
        lines += ["", *_verdict(results, AIMS.get(bundle, {}))]
    for name, figures in sorted(results["tables"].items()):
        lines += ["", f"### {TITLES.get(name, name)}", "| figure | value | 95 % interval | n |", "|---|---|---|---|"]
        lines += figure_rows(figures)
    if "constant_mask" in results:
        lines += _more(results)
    return lines


def _more(results: dict[str, Any]) -> list[str]:
    """Subgroups, calibration, ablation, failures."""
    lines: list[str] = []
    if results["subgroups"]:
        lines += ["", "### Subgroups", "| group | images | Dice where a lesion is | AUC |", "|---|---|---|---|"]
    for field, groups in results["subgroups"].items():
        for value, figures in groups.items():
            dice, auc = (figures[key] for key in SUBGROUP_FIGURES)
            cells = [f"{number(one['value'])} ({interval(one)}; n={one['n']})" for one in (dice, auc)]
            lines.append(f"| {field} {value} | {figures['accuracy']['n']} | {cells[0]} | {cells[1]} |")
    lines += ["", "### Calibration", "| mean probability of the last class | its share | images |", "|---|---|---|"]
    lines += [f"| {b['probability']:.2f} | {b['share']:.2f} | {b['n']} |" for b in results["calibration"]]
    if results.get("ablation"):
        lines += ["", "### Ablation, at an equal budget", *_below(results["ablation"])]
    return [*lines, "", "![the worst of the test images](failures.jpg)"]


def _below(page: str) -> list[str]:
    """A page as a part of another: its title dropped, its sections two levels down."""
    return [f"##{line}" if line.startswith("#") else line for line in page.strip().splitlines()[1:]]


def _verdict(results: dict[str, Any], wanted: dict[str, float]) -> list[str]:
    clean, constant = results["tables"]["clean"], results["constant_mask"]
    dice, auc, difference = clean["dice_lesion"], clean["auc"], constant["difference"]["dice_lesion"]
    said = [
        f"**AUC {number(auc['value'])}** ({interval(auc)}, n={auc['n']}): "
        + ("above 0.5." if (auc["low"] or 0) > 0.5 else "**it did not learn the class**, as far as these images tell."),
        f"**Dice {number(dice['value'])}** ({interval(dice)}, n={dice['n']}): the best mask that looks at no image has "
        f"{constant['dice_lesion']:.3f}, and the network {difference['value']:+.3f} more ({interval(difference)}): ",
    ]
    if (difference["low"] or -1) > 0:
        said[1] += "better than that mask."
    elif (difference["value"] or -1) > 0:
        said[1] += "better, though the interval of the difference reaches below 0."
    else:
        said[1] += "**it did not learn the mask**."
    if "area_prior" in results:
        prior = results["area_prior"]
        more, jaccard = prior["difference"]["auc"], constant["difference"]["jaccard"]
        said += [
            f"The size of the annotated lesion alone tells the class with AUC {number(prior['auc']['value'])} "
            f"({interval(prior['auc'])}); the network has {more['value']:+.3f} more ({interval(more)}).",
            f"Jaccard of that best constant mask: {constant['jaccard']:.3f}; the network has "
            f"{jaccard['value']:+.3f} more ({interval(jaccard)}).",
        ]
    aims = ", ".join(
        f"{key} {aim:.2f} {'reached' if (clean[key]['value'] or 0) >= aim else 'not reached'}"
        for key, aim in wanted.items()
    )
    return [f"- {line}" for line in (*said, *([f"Aims: {aims}."] if aims else []))]


if __name__ == "__main__":
    fire.Fire({"ship": ship, "thresholds": thresholds, "write": write, "check": check})
