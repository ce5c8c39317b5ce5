"""Files of an evaluation in which lesions have several classes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..metrics import CaseScores, CaseTable
from ..metrics.lesion_class_measures import class_dice, class_pixels, dice_by_class
from .mask_class_report import MaskClassReport

__all__ = ["LesionClassReport"]


class LesionClassReport(MaskClassReport):
    """The files of :class:`EvaluationReport`, and the Dice of each class of lesions.

    Lesions are found, drawn and counted whatever their class. ``cases.csv`` has a column ``dice <class>`` more,
    ``metrics.json`` the means as ``dice``, over the images that hold the class.

    Its arguments are those of :class:`MaskClassReport`.
    """

    def _examine(self, name: str, output: dict[str, Any]) -> tuple[dict[str, Any], CaseScores, Image.Image]:
        mask = torch.as_tensor(output["pred"]).cpu()
        row, scores, picture = super()._examine(name, {**output, "pred": (mask > 0).to(torch.uint8)})
        values = np.full(len(self.seg_classes) - 1, math.nan)
        if bool(output["seg_annotated"]):
            truth = torch.as_tensor(output["seg_target"]).cpu().numpy()[0]
            counts = class_pixels(truth, mask.numpy(), len(self.seg_classes))
            values = class_dice(np.array(counts))
            if "seg" in self.tasks:
                scores = replace(scores, class_pixels=counts)
        for one, value in zip(self.seg_classes[1:], values.tolist(), strict=True):
            row[f"dice {one}"] = "" if math.isnan(value) else round(value, 4)
        return row, scores, picture

    def _more(self, table: CaseTable) -> dict[str, Any]:
        found = dice_by_class(table)
        if not found:
            return {}
        entries = zip(self.seg_classes[1:], found, strict=True)
        return {"dice": {name: {"value": one.value, "n": one.n} for name, one in entries}}
