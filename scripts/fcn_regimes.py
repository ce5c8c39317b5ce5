"""The comparison of the paper behind fcn_ddsm, on data of one's own: joint, class alone, in sequence.

    python scripts/fcn_regimes.py run DATA OUT --recipe narrow
    python scripts/fcn_regimes.py table OUT

Five folds by patient, as ``monai-mtl crossval``: three parts train, one selects, one is scored once. All have as many
epochs: the two stages of the sequence half of them each. A comparison that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fire
from card_study import variant_rows
from card_text import ROOT, figure_rows, put_into_card

from monai_mtl.cli_settings import study_settings
from monai_mtl.metrics import CaseTable
from monai_mtl.outputs.result_json import write_json
from monai_mtl.outputs.study_table import variant_table
from monai_mtl.study import DONE, Run, load_scores, measure_sets, perform, pool, run_folds

BUNDLE = ROOT / "bundles" / "fcn_ddsm"
REGIMES = {"joint": "joint", "class alone": "cls_only", "in sequence": "stage2"}
"""By row of the table, the folder whose scores it shows."""


def run(data: str, output: str, recipe: str = "narrow", folds: Sequence[int] = range(5), epochs: int = 40) -> None:
    """Train and score every regime on every fold.

    Args:
        data: Folder with the data set.
        output: Folder to write to.
        recipe: Name of an overlay in the bundle's configs.
        folds: Which folds; those of one machine.
        epochs: Of each regime.
    """
    logging.basicConfig(format="%(message)s")
    overlays, given = study_settings(BUNDLE, data, recipe, False, {}, by_fold=True)
    for fold in run_folds(list(folds), overlays, named_split=False, **given):
        place = Path(output).resolve() / fold.name
        place.mkdir(parents=True, exist_ok=True)
        stage1 = {"initial_weights": str(place / "stage1" / "models" / "model.pt")}
        for name, overlay, length, more in (
            ("joint", None, epochs, {}),
            ("cls_only", "ablations/cls_only.json", epochs, {}),
            ("stage1", "stage1.json", epochs // 2, {}),
            ("stage2", "stage2.json", epochs - epochs // 2, stage1),
        ):
            added = (*fold.overlays, *([overlay] if overlay else []))
            perform(BUNDLE, Run(name, added, {**fold.settings, "max_epochs": length, **more}), place)


def table(output: str, draws: int = 2000) -> None:
    """Write ``docs/regimes.json`` of the bundle, and its rows into the card, of the folds that are done.

    Args:
        output: Folder of :func:`run`.
        draws: Of an interval.
    """
    places = REGIMES.values()
    folds = [one for one in sorted(Path(output).glob("fold_*")) if all((one / p / DONE).is_file() for p in places)]
    tables = {name: pool({fold.name: load_scores(fold / place) for fold in folds}) for name, place in REGIMES.items()}
    kind = measure_sets(BUNDLE)[0]
    content = {"folds": len(folds), **_counts(tables["joint"]), **variant_table(tables, draws, [kind])[kind]}
    path = BUNDLE / "docs" / "regimes.json"
    write_json(path, content)
    put_into_card(BUNDLE / "docs" / "README.md", _lines(json.loads(path.read_text())), "regimes")


def _counts(scores: CaseTable) -> dict[str, int]:
    return {"cases": len(scores), "patients": len(scores.groups)}


def _lines(content: dict[str, Any]) -> list[str]:
    head = f"{content['cases']} images of {content['patients']} patients, each scored once in {content['folds']} folds."
    joint = ["#### joint", "| figure | value | 95 % interval | n |", "|---|---|---|---|"]
    joint += figure_rows(content["rows"]["joint"])
    return [head, "", *variant_rows(content, "joint"), "", *joint]


if __name__ == "__main__":
    fire.Fire({"run": run, "table": table})
