"""Files of an evaluation with several tissues and diagnoses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import RunError
from ..metrics import CLEAN_CLASSES, CaseScores, CaseTable, score_classes
from ..metrics.class_measures import class_iou, mean_iou, pixel_accuracy
from ..outputs.overlay import contact_sheet
from ..outputs.tissue_overlay import draw_region, tissue_colours
from .mask_class_report import MaskClassReport

__all__ = ["RegionReport"]


class RegionReport(MaskClassReport):
    """The files of :class:`EvaluationReport`, where a pixel and an image have one of several classes.

    Reads ``image``, ``pred``, ``seg_target`` and ``seg_annotated`` of each case and, unless the network was trained
    for tissue alone, ``cls`` (probabilities), ``cls_target``, ``cls_annotated`` and ``discriminative``.
    ``metrics.json`` also holds ``iou``, by tissue, ``null`` for one that no annotated case shows.

    Its arguments are those of :class:`MaskClassReport`; the classes of the mask are tissues.
    """

    clean = CLEAN_CLASSES

    def _examine(self, name: str, output: dict[str, Any]) -> tuple[dict[str, Any], CaseScores, Image.Image]:
        image, mask = (torch.as_tensor(output[key]).cpu().numpy() for key in ("image", "pred"))
        truth = torch.as_tensor(output["seg_target"]).cpu().numpy()[0] if bool(output["seg_annotated"]) else None
        told = "cls" in self.tasks
        chances = [float(p) for p in output["cls"]] if told else []
        if not np.isfinite(chances).all():
            what = f"the network's answer for {name} is not finite, so nothing can be scored"
            raise RunError(what, fix="train again with a smaller learning_rate, or name other weights")
        labelled = told and bool(output["cls_annotated"])
        scores = score_classes(
            name,
            self._patients.get(name, ""),
            truth if "seg" in self.tasks else None,
            mask,
            len(self.seg_classes),
            chances,
            float(output["cls_target"]) if labelled else math.nan,
        )
        row: dict[str, Any] = {"case_id": name, "pixel_accuracy": "", "miou": ""}
        if scores.confusion:
            table = np.reshape(scores.confusion, (len(self.seg_classes), -1))
            row |= {"pixel_accuracy": round(pixel_accuracy(table), 4), "miou": round(mean_iou(table), 4)}
        row |= {f"p({one})": round(p, 4) for one, p in zip(self.classes, chances, strict=bool(chances))}
        row["label"] = self.classes[int(output["cls_target"])] if labelled else ""
        caption = [name, f"mIoU {row['miou']:.2f}" if scores.confusion else "no annotated tissue"]
        if told:
            surest = int(np.argmax(chances))
            caption[1:1] = [f"{row['label'] or 'no label'}; predicted {self.classes[surest]} {chances[surest]:.2f}"]
        certainty = torch.as_tensor(output["discriminative"])[0].cpu().numpy() if told else None
        return row, scores, draw_region(image, mask, truth, certainty, len(self.seg_classes), caption)

    def _sheet(self) -> Image.Image:
        legend = list(zip(self.seg_classes, tissue_colours(len(self.seg_classes)), strict=True))
        return contact_sheet(self._pictures, self.title, columns=1 if len(self._pictures) < 4 else 2, legend=legend)

    def _more(self, table: CaseTable) -> dict[str, Any]:
        known = [one for one in table.confusion if len(one)]
        side = len(self.seg_classes)
        values = class_iou(np.sum(known, axis=0).reshape(side, side)) if known else np.full(side, np.nan)
        return {"iou": {name: float(value) for name, value in zip(self.seg_classes, values, strict=True)}}
