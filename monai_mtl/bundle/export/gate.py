"""Whether an exported network still gives the answers of the original, on real images."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...errors import DataError, RunError
from ...metrics import ROCAUC, BoxIoU, LesionClassDice, LesionDice, MeanIoU, PixelAccuracy
from ...metrics.case_metric import CaseMetric

__all__ = ["GATE_IMAGES", "LARGEST_METRIC_CHANGE", "LARGEST_PROBABILITY_CHANGE", "require_agreement"]

GATE_IMAGES = 60
LARGEST_METRIC_CHANGE = 0.002
LARGEST_PROBABILITY_CHANGE = 0.01
LARGEST_PIXEL_CHANGE = 0.1
"""Of a single pixel, wider than of an image: bfloat16 holds three digits, and what masks do is told by their Dice."""
JUDGES = (BoxIoU, LesionClassDice, LesionDice, MeanIoU, PixelAccuracy, ROCAUC)
"""Metrics that must not change; a share of right answers jumps by whole images, and so does the average precision of
boxes. What is made of these, such as the ROC curve of breasts, does not judge again."""
PROBABILITIES = ("probability", "cls", "discriminative")
Network = Callable[[Tensor], dict[str, Tensor]]


def require_agreement(
    network: nn.Module,
    exported: Network,
    cases: Sequence[Mapping[str, Any]],
    postprocessing: Callable[[dict], dict],
    metrics: Mapping[str, CaseMetric],
    probabilities: Sequence[str] = PROBABILITIES,
    inferer: Callable[[Tensor, Network], dict[str, Tensor]] | None = None,
) -> dict[str, Any]:
    """Run both over labelled images and refuse an export that changes an answer.

    Refused is a change of a Dice, an IoU of tissues or boxes, a share of pixels or an AUC by
    :data:`LARGEST_METRIC_CHANGE` or more, a probability of an image that differs by
    :data:`LARGEST_PROBABILITY_CHANGE` or more, and one of a single pixel that differs by :data:`LARGEST_PIXEL_CHANGE`
    or more.

    Args:
        network: The original; it is left in eval mode.
        exported: What is judged, such as :class:`ExportedNetwork`.
        cases: At least :data:`GATE_IMAGES`, as the data set of a validation gives them: ``image`` ``(C, H, W)``,
            ``label_<task>`` and ``has_<task>``.
        postprocessing: Of a validation: ``pred`` and ``label`` to what the metrics read.
        metrics: Those of a validation by name, of which those of :data:`JUDGES` judge.
        probabilities: Keys of probabilities after postprocessing; one that is not there is left out.
        inferer: Of a validation, such as one that runs tiles; ``None`` runs whole images.

    Returns:
        ``images``, each metric with ``original``, ``exported`` and ``change``, ``largest_probability_change`` of the
        images and ``largest_pixel_change``.

    Raises:
        DataError: If there are too few images, no metric that judges, or one is undefined on these images.
        RunError: If the export is refused.
    """
    if len(cases) < GATE_IMAGES:
        fix = "--data FOLDER with more labelled images"
        raise DataError(f"{len(cases)} images are too few to judge an export", expected=f"{GATE_IMAGES}", fix=fix)
    both = [{k: copy.deepcopy(m) for k, m in metrics.items() if type(m) in JUDGES} for _ in range(2)]
    if not both[0]:
        expected, fix = " or ".join(judge.__name__ for judge in JUDGES), "name one in additional_metrics of train.json"
        raise DataError("no metric judges the export", expected=expected, fix=fix)
    for metric in (m for half in both for m in half.values()):
        metric.reset()
    network.eval()
    largest = {"probability": 0.0, "pixel": 0.0}
    for case in tqdm(cases, desc="comparing", unit="image", disable=None):
        answers = [_answer(one, case, postprocessing, inferer) for one in (network, exported)]
        for half, answer in zip(both, answers, strict=True):
            for metric in half.values():
                metric.update([answer])
        for key in probabilities:
            if key in answers[0]:
                kind = "pixel" if answers[0][key].dim() > 1 else "probability"
                difference = float((answers[0][key] - answers[1][key]).abs().max())
                largest[kind] = difference if math.isnan(difference) else max(largest[kind], difference)
    return _judge(both[0], both[1], len(cases), largest)


@torch.inference_mode()
def _answer(
    network: Network,
    case: Mapping[str, Any],
    postprocessing: Callable[[dict], dict],
    inferer: Callable[[Tensor, Network], dict[str, Tensor]] | None,
) -> dict[str, Any]:
    image = torch.as_tensor(case["image"]).as_subclass(Tensor)[None]
    outputs = network(image) if inferer is None else inferer(image, network)
    label = {name.removeprefix("label_"): value for name, value in case.items() if name.startswith(("label_", "has_"))}
    return postprocessing({"pred": {name: value[0].float() for name, value in outputs.items()}, "label": label})


def _judge(
    original: Mapping[str, CaseMetric], exported: Mapping[str, CaseMetric], images: int, largest: Mapping[str, float]
) -> dict[str, Any]:
    result: dict[str, Any] = {"images": images, "metrics": {}}
    result |= {f"largest_{kind}_change": value for kind, value in largest.items()}
    bad, undefined = [], []
    for name in original:
        before, after = original[name].compute(), exported[name].compute()
        result["metrics"][name] = {"original": before, "exported": after, "change": abs(after - before)}
        if math.isnan(before):
            undefined.append(f"{name}: {original[name].detail['reason']}")
        elif not abs(after - before) < LARGEST_METRIC_CHANGE:
            bad.append(f"{name}: {before:.4f} before, {after:.4f} exported")
    if undefined:
        raise DataError("these images cannot judge an export", undefined, fix="add images that make them defined")
    if not largest["probability"] < LARGEST_PROBABILITY_CHANGE:
        bad.append(f"largest change of a probability of an image: {largest['probability']:.4f}")
    if not largest["pixel"] < LARGEST_PIXEL_CHANGE:
        bad.append(f"largest change of a probability of a pixel: {largest['pixel']:.4f}")
    if bad:
        limits = (
            f"metrics within {LARGEST_METRIC_CHANGE}, probabilities of an image within {LARGEST_PROBABILITY_CHANGE}, "
            f"of a pixel within {LARGEST_PIXEL_CHANGE}"
        )
        raise RunError(f"the export changes the answers on {images} images", bad, limits, fix="use another precision")
    return result
