"""Files of an evaluation in which an image has one box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from ..layers.boxes import mask_boxes
from ..metrics import BoxIoU, CaseScores
from ..outputs.boxes import BOX_COLOUR, BOX_LEGEND, TRUE_BOX_COLOUR, TRUE_BOX_LEGEND, draw_box
from ..outputs.overlay import contact_sheet
from .evaluation_report import EvaluationReport

__all__ = ["DetectionReport"]


class DetectionReport(EvaluationReport):
    """The files of :class:`EvaluationReport`, and the box that the network found.

    Reads ``det`` ``(5,)`` of each case besides, x0, y0, x1, y1 in pixels of the network's image and the score, which is
    0 if nothing was found; the true box is the smallest around the annotated mask. Pictures show both, ``cases.csv``
    has the columns ``box``, ``box_score``, ``annotated_box`` and ``box_iou`` more. The set of measures ``boxes``
    tabulates overlap and average precision.

    Args:
        output_dir: As there, and so are all others.
        classes: As there.
        title: As there.
        **options: As there.

    Raises:
        ValueError: As there.
    """

    finite = (*EvaluationReport.finite, "det")

    def _examine(self, name: str, output: dict[str, Any]) -> tuple[dict[str, Any], CaseScores, Image.Image]:
        row, scores, picture = super()._examine(name, output)
        found = torch.as_tensor(output["det"]).cpu().float()
        size, score = (output["pred"].shape[1], output["pred"].shape[0]), float(found[4])
        row |= {"box": "", "box_score": round(score, 4), "annotated_box": "", "box_iou": ""}
        if bool(output["seg_annotated"]):
            truth = torch.as_tensor(output["seg_target"]).cpu()
            scores = replace(scores, box=BoxIoU().row(found, truth))
            _, overlap, some = scores.box
            if some:
                true_box = mask_boxes(truth[None])[0][0].tolist()
                row |= {"annotated_box": _words(true_box), "box_iou": round(overlap, 4)}
                draw_box(picture, true_box, size, TRUE_BOX_COLOUR, f"IoU {overlap:.2f}", below=True)
        if score > 0:
            row["box"] = _words(found[:4].tolist())
            draw_box(picture, found[:4].tolist(), size, BOX_COLOUR, f"{score:.2f}")
        return row, scores, picture

    def _sheet(self) -> Image.Image:
        return contact_sheet(self._pictures, self.title, more=(*TRUE_BOX_LEGEND, *BOX_LEGEND))


def _words(box: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in box)
