"""Files of an evaluation: a table of cases, the metrics, pictures of truth beside prediction."""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow
from monai.metrics import compute_dice
from PIL import Image
from tqdm import tqdm

from ..bundle.occupied_folder import OccupiedFolder
from ..errors import DataError, RunError
from ..metrics import CLEAN, MEASURE_SETS, CaseScores, CaseTable, measure_all, score_case
from ..metrics.intervals import format_metrics, format_table
from ..outputs.overlay import contact_sheet, draw_case, overlay_path
from ..outputs.report import write_report
from ..outputs.report.record import copy_curves, run_record
from ..outputs.result_json import NOTICE, write_json

__all__ = ["EvaluationReport"]

logger = logging.getLogger("monai_mtl")
SHOWN = 8


class EvaluationReport:
    """Writes the files of an evaluation, and logs its tables.

    These are ``cases.csv``, ``scores.json``, ``metrics.json``, ``run.json``, ``overlays/<case>.png``, ``overview.png``,
    ``report.html`` and ``report.json``; and ``training.csv``, if it lies beside weights that a training left.

    Reads ``image``, ``pred``, ``probability``, ``cls`` and, for both tasks, ``<task>_target`` and
    ``<task>_annotated`` of each case.

    Args:
        output_dir: Folder to write to, kept for this run alone; made when it starts.
        classes: Image class names, index 0 first.
        title: What was evaluated on what, in a line.
        measures: Sets of figures to tabulate with intervals: names in ``monai_mtl.metrics.MEASURE_SETS``.
        cases: The cases, for their ``patient_id`` (intervals draw patients; where they are not known, cases of one
            ``lesion_id`` count as one, and others by themselves) and ``laterality``.
        draws: Draws of an interval.
        tasks: Tasks that the network learned; nothing is told of the answers of another one.
        subgroups: Fields of the cases, such as ``view``; the clean figures are also given for each of their values.
        bundle: Folder of the bundle, told in ``run.json``.
        weights: Weights file, told there by its digest.

    Raises:
        ValueError: If a set of measures is unknown.
    """

    clean = CLEAN
    """Figures of the subgroups."""
    finite: tuple[str, ...] = ("probability", "cls")
    """Answers that have to be finite."""

    def __init__(
        self,
        output_dir: PathLike,
        classes: Sequence[str],
        title: str,
        measures: Sequence[str] = (),
        cases: Sequence[Mapping[str, Any]] = (),
        draws: int = 1000,
        tasks: Sequence[str] = ("seg", "cls"),
        subgroups: Sequence[str] = (),
        bundle: PathLike | None = None,
        weights: PathLike | None = None,
    ) -> None:
        if unknown := [name for name in measures if name not in MEASURE_SETS]:
            raise ValueError(f"no measures {unknown}; there are {list(MEASURE_SETS)}")
        self.output_dir, self.classes, self.title = Path(output_dir), list(classes), title
        self.tasks = tuple(tasks)
        self.measures, self.draws = {name: MEASURE_SETS[name] for name in measures}, draws
        self._groups = {
            name: {str(case["case_id"]): str(case[name]) for case in cases if case.get(name) is not None}
            for name in subgroups
        }
        self._cases, self._bundle, self._weights = list(cases), bundle, weights
        self._patients = {str(c["case_id"]): str(c.get("patient_id") or c.get("lesion_id") or "") for c in cases}
        self._sides = {str(case["case_id"]): str(case.get("laterality") or "") for case in cases}
        self._rows: list[dict[str, Any]] = []
        self._scores: list[CaseScores] = []
        self._pictures: list[Image.Image] = []
        self._folder = OccupiedFolder(self.output_dir)

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator.

        Raises:
            DataError: If it has no case.
        """
        if engine.state.epoch_length == 0:
            raise DataError("the data set names no test case", fix="add a list 'test', or let the cases be split")
        engine.add_event_handler(Events.STARTED, self._folder.take)
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.COMPLETED, self._finish)
        engine.add_event_handler(Events.COMPLETED, self._folder.leave)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._stopped)

    def _stopped(self, error: BaseException) -> None:
        self._folder.leave()
        raise error

    def _start(self, engine: Workflow) -> None:
        self._rows, self._scores, self._pictures, self._begun = [], [], [], time.monotonic()
        self._bar = tqdm(total=engine.state.epoch_length, desc="evaluation", unit="batch", disable=None)

    def _add(self, engine: Workflow) -> None:
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            self._add_case(str(case["case_id"]), output)
        self._bar.update()

    def _refuse_not_finite(self, name: str, output: dict[str, Any]) -> None:
        numbers = [torch.as_tensor(output[key]).float() for key in self.finite]
        if not all(bool(torch.isfinite(one).all()) for one in numbers):
            what = f"the network's answer for {name} is not finite, so nothing can be scored"
            raise RunError(what, fix="train again with a smaller learning_rate, or name other weights")

    def _add_case(self, name: str, output: dict[str, Any]) -> None:
        row, scores, picture = self._examine(name, output)
        self._rows.append(row)
        self._scores.append(replace(scores, laterality=self._sides.get(name, "")))
        path = overlay_path(self.output_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        if len(self._pictures) < SHOWN:
            self._pictures.append(picture)

    def _examine(self, name: str, output: dict[str, Any]) -> tuple[dict[str, Any], CaseScores, Image.Image]:
        """Row of ``cases.csv``, counts and picture of one case."""
        self._refuse_not_finite(name, output)
        draws, tells = "seg" in self.tasks, "cls" in self.tasks
        mask, has_seg, labelled = output["pred"].cpu(), bool(output["seg_annotated"]), bool(output["cls_annotated"])
        truth = torch.as_tensor(output["seg_target"]).cpu()[0] > 0 if has_seg else None
        row: dict[str, Any] = {"case_id": name, "lesion_pixels": "", "annotated_pixels": "", "dice": ""}
        if draws:
            row["lesion_pixels"] = int(mask.sum())
        if truth is not None:
            row["annotated_pixels"] = int(truth.sum())
            if draws and truth.any():
                row["dice"] = round(float(compute_dice(mask[None, None] > 0, truth[None, None]).mean()), 4)
        chances = [float(p) for p in output["cls"]] if tells else []
        row |= {f"p({c})": round(p, 4) for c, p in zip(self.classes, chances, strict=tells)}
        row["label"] = self.classes[int(output["cls_target"])] if labelled and tells else ""
        image, probability = (np.asarray(torch.as_tensor(output[k]).cpu())[0] for k in ("image", "probability"))
        scores = score_case(
            name,
            self._patients.get(name, ""),
            None if truth is None or not draws else truth.numpy(),
            mask.numpy(),
            probability,
            chances[1] if tells else math.nan,
            float(output["cls_target"]) if labelled and tells else math.nan,
        )
        caption = [name, f"{row['label'] or 'no label'}; p({self.classes[1]}) = {chances[1]:.2f}"] if tells else [name]
        if draws:
            caption.append(f"Dice {row['dice']:.2f}" if row["dice"] != "" else "no annotated lesion")
        picture = draw_case(image, probability, mask.numpy(), None if truth is None else truth.numpy(), caption)
        return row, scores, picture

    def _sheet(self) -> Image.Image:
        return contact_sheet(self._pictures, self.title)

    def _more(self, table: CaseTable) -> dict[str, Any]:
        """What ``metrics.json`` holds besides."""
        return {}

    def _subgroups(self, table: CaseTable) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, values in self._groups.items():
            of_case = [values.get(case, "unknown") for case in table.case_id]
            found[name] = {
                value: measure_all(table.take(np.flatnonzero(np.array(of_case) == value)), self.clean, self.draws)
                for value in sorted(set(of_case))
            }
        return found

    def _finish(self, engine: Workflow) -> None:
        self._bar.close()
        metrics = {n: {"value": v, **engine.state.metric_details.get(n, {})} for n, v in engine.state.metrics.items()}
        with (self.output_dir / "cases.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, self._rows[0])
            writer.writeheader()
            writer.writerows(self._rows)
        table = CaseTable(self._scores)
        tables = {name: measure_all(table, measures, self.draws) for name, measures in self.measures.items()}
        content = {"title": self.title, "cases": len(table), "patients": len(table.groups), "metrics": metrics}
        if tables:
            content |= {
                "subgroups": self._subgroups(table),
                "tables": tables,
                "interval": f"95 % of {self.draws} draws of patients",
            }
        write_json(self.output_dir / "metrics.json", content | self._more(table) | {"notice": NOTICE})
        # Patients are numbered: who they are stays in the data set.
        numbers = {row: str(number + 1) for number, group in enumerate(table.groups) for row in group}
        scores = [one.to_json() | {"patient_id": numbers[row]} for row, one in enumerate(self._scores)]
        write_json(self.output_dir / "scores.json", scores)
        self._sheet().save(self.output_dir / "overview.png")
        seconds = time.monotonic() - self._begun
        record = run_record(self._cases, seconds, str(engine.state.device), self._bundle, self._weights)
        write_json(self.output_dir / "run.json", record | {"classes": self.classes, **self._words()})
        copy_curves(self._weights, self.output_dir)
        self._tell(metrics, tables, table)

    def _words(self) -> dict[str, Any]:
        """What ``run.json`` holds besides."""
        return {}

    def _tell(self, metrics: dict[str, dict], tables: dict[str, dict], table: CaseTable) -> None:
        page = write_report(self.output_dir)
        lines = [self.title, *(format_metrics(metrics) if not tables else ())]
        if tables:
            lines.append(f"  {len(table)} cases of {len(table.groups)} patients; intervals draw patients")
        lines += [line for name, found in tables.items() for line in format_table(name, found)]
        lines += [f"report:  {page}", f"picture: {self.output_dir / 'overview.png'}"]
        lines.append(f"tables:  {self.output_dir / 'metrics.json'}, {self.output_dir / 'cases.csv'}")
        for line in lines:
            logger.info(line)
