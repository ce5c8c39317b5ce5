"""Tissue on the authors' five breast tiles: each of the four cases is scored once by a network that never saw it.

python scripts/tiles_by_case.py OUT

Two cases train, one selects the checkpoint, one is scored; crossval wants five patients. A stopped run goes on.
"""

from __future__ import annotations

import logging
from pathlib import Path

import fire
import torch
from card_text import ROOT

from monai_mtl.outputs.result_json import write_json
from monai_mtl.outputs.study_table import fold_table, write_study
from monai_mtl.study import Run, ablation_overlay, measure_sets, perform, pool

BUNDLE = ROOT / "bundles" / "ynet_biopsy"


def main(output: str, draws: int = 1000) -> None:
    """Write ``table.json`` and ``table.md``.

    Args:
        output: Folder.
        draws: Of an interval.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    place = Path(output)
    tiles = sorted((BUNDLE / "sample_tiles").glob("*rgb/*.png"))
    cases = sorted({_case(tile) for tile in tiles})
    runs = {}
    for i, tested in enumerate(cases):
        selecting = cases[i - 1]
        lists: dict[str, list[dict]] = {"training": [], "validation": [], "test": []}
        for tile in tiles:
            section = {tested: "test", selecting: "validation"}.get(_case(tile), "training")
            mask = tile.parent.with_name(tile.parent.name.replace("rgb", "annot")) / tile.name
            lists[section].append({"image": str(tile), "label_seg": str(mask), "patient_id": _case(tile)})
        data = place / "lists" / tested
        data.mkdir(parents=True, exist_ok=True)
        if not (data / "dataset.json").is_file():  # a new file would be another data set
            write_json(data / "dataset.json", lists)
        overlays = ("tiles.json", ablation_overlay(BUNDLE, "seg_only"))
        runs[tested] = Run(f"case_{tested}", overlays, {"dataset_dir": str(data)})
    tables = {run.name: perform(BUNDLE, run, place) for run in runs.values()}
    content = fold_table(tables, pool(tables), draws, measure_sets(BUNDLE))
    print("\n".join(write_study(content, "ynet_biopsy: the authors' tiles, by case", place)))


def _case(tile: Path) -> str:
    return tile.name.partition("_")[0]


if __name__ == "__main__":
    fire.Fire(main)
