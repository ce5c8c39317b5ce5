"""What one case contributes to every metric, counted once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt
from skimage.measure import label, regionprops

__all__ = ["CaseScores", "CaseTable", "score_case"]

CANDIDATE = 0.1
"""Probability above which a connected part of the map is a candidate of the free-response curve."""
LISTS = ("hits", "false_peaks", "confusion", "probabilities", "class_pixels", "box")
"""Columns that hold several numbers a case."""
OPTIONAL = ("confusion", "probabilities", "laterality", "class_pixels", "box")
NAMES = ("case_id", "patient_id", "laterality")
"""Columns that hold words."""


@dataclass(frozen=True)
class CaseScores:
    """Counts of one case; nan where the task is not annotated.

    Args:
        case_id: Name.
        patient_id: Patient; cases without one count as patients of their own.
        tp: Pixels of lesion found.
        fp: Pixels of background taken for lesion.
        fn: Pixels of lesion missed.
        tn: Other pixels.
        lesions: Connected lesions of the truth.
        lesions_found: Of these, those that the prediction touches.
        false_components: Connected parts of the prediction that touch no lesion.
        hits: Best peak probability of a candidate inside each lesion; 0 where there is none.
        false_peaks: Peak probabilities of candidates whose peak lies in no lesion.
        probability: Of class 1 of the image.
        label: Class of the image, 0 or 1, or of several.
        confusion: With several classes, pixels by true and by predicted class, row by row.
        probabilities: With several classes, of each class of the image.
        hd95: 95th percentile of the distances between the outlines of truth and prediction, in pixels; the
            diagonal of the image if nothing was predicted; nan without a lesion.
        laterality: Side of the body, such as ``"L"``; empty where it is not known.
        class_pixels: With several classes of lesions, pixels found, predicted and true of each.
        box: Of the one box of the image its score, 0 if there is none, its overlap with the true one, and 1 if there
            is a true one; empty where the image has no box or no annotation.
    """

    case_id: str
    patient_id: str = ""
    tp: float = math.nan
    fp: float = math.nan
    fn: float = math.nan
    tn: float = math.nan
    lesions: float = math.nan
    lesions_found: float = math.nan
    false_components: float = math.nan
    hits: Sequence[float] = field(default_factory=tuple)
    false_peaks: Sequence[float] = field(default_factory=tuple)
    probability: float = math.nan
    label: float = math.nan
    confusion: Sequence[int] = field(default_factory=tuple)
    probabilities: Sequence[float] = field(default_factory=tuple)
    hd95: float = math.nan
    laterality: str = ""
    class_pixels: Sequence[int] = field(default_factory=tuple)
    box: Sequence[float] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """Without the patient, and without side, several classes or box where there are none; ``None`` for nan."""
        left_out = {
            "patient_id",
            *(key for key in OPTIONAL if not getattr(self, key)),
        }
        entries = {key: value for key, value in asdict(self).items() if key not in left_out}
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in entries.items()}


def score_case(
    case_id: str,
    patient_id: str = "",
    truth: np.ndarray | None = None,
    prediction: np.ndarray | None = None,
    lesion_probability: np.ndarray | None = None,
    probability: float = math.nan,
    label_cls: float = math.nan,
) -> CaseScores:
    """Count one case.

    Lesions and parts of the prediction are 8-connected, as in the HDS paper's code.

    Args:
        case_id: Name.
        patient_id: Patient.
        truth: Annotated mask ``(H, W)``, lesion where it is not 0; ``None`` where nobody looked.
        prediction: Predicted mask ``(H, W)``; needed with ``truth``.
        lesion_probability: Map ``(H, W)`` in [0, 1] for the free-response curve; without it, that has no peaks.
        probability: Of class 1 of the image.
        label_cls: Its class; nan where nobody looked.

    Raises:
        ValueError: If masks differ in shape, or a probability is not finite where its task is annotated.
    """
    if not math.isnan(label_cls) and not math.isfinite(probability):
        raise ValueError(f"the probability of {case_id} is not finite")
    image: dict[str, Any] = {"probability": float(probability), "label": float(label_cls)}
    if truth is None:
        return CaseScores(case_id, patient_id, **image)
    if prediction is None or prediction.shape != truth.shape:
        raise ValueError(f"prediction and truth of {case_id} differ in shape")
    lesion, found = truth > 0, prediction > 0
    tp = int((lesion & found).sum())
    fp, fn = int(found.sum()) - tp, int(lesion.sum()) - tp
    lesions, parts = label(lesion, connectivity=2), label(found, connectivity=2)
    touched = set(np.unique(lesions[found]).tolist()) - {0}
    right = set(np.unique(parts[lesion]).tolist()) - {0}
    hits, false_peaks = _peaks(lesions, lesion_probability, case_id)
    return CaseScores(
        case_id,
        patient_id,
        tp=tp,
        fp=fp,
        fn=fn,
        tn=lesion.size - tp - fp - fn,
        lesions=int(lesions.max()),
        lesions_found=len(touched),
        false_components=int(parts.max()) - len(right),
        hd95=_hd95(lesion, found),
        hits=hits,
        false_peaks=false_peaks,
        **image,
    )


def _hd95(lesion: np.ndarray, found: np.ndarray) -> float:
    if not lesion.any():
        return math.nan
    if not found.any():
        return math.hypot(*lesion.shape)
    one, other = (mask & ~binary_erosion(mask) for mask in (lesion, found))
    there, back = distance_transform_edt(~one)[other], distance_transform_edt(~other)[one]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _peaks(lesions: np.ndarray, chance: np.ndarray | None, case_id: str) -> tuple[list[float], list[float]]:
    hits = [0.0] * int(lesions.max())
    if chance is None:
        return hits, []
    if chance.shape != lesions.shape or not np.isfinite(chance).all():
        raise ValueError(f"the probability map of {case_id} is not finite or of another shape")
    false_peaks = []
    for region in regionprops(label(chance > CANDIDATE, connectivity=2), intensity_image=chance):
        inside = np.where(region.image, region.image_intensity, -1)
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        peak, at = float(inside[row, column]), lesions[row + region.bbox[0], column + region.bbox[1]]
        if at:
            hits[at - 1] = max(hits[at - 1], peak)
        else:
            false_peaks.append(peak)
    return hits, false_peaks


class CaseTable:
    """Columns of many :class:`CaseScores`: ``table.tp`` is an array of all ``tp``.

    Args:
        cases: Rows.
    """

    def __init__(self, cases: Sequence[CaseScores]) -> None:
        self._columns: dict[str, np.ndarray] = {}
        for one in fields(CaseScores):
            values: Any = [getattr(case, one.name) for case in cases]
            if one.name in LISTS:
                column = np.empty(len(values), object)
                for row, value in enumerate(values):  # in one step numpy takes lists of one length for a table
                    column[row] = np.asarray(value, float)
            else:
                column = np.array(values, dtype=str if one.name in NAMES else float)
            self._columns[one.name] = column

    def __len__(self) -> int:
        return len(self._columns["case_id"])

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._columns:
            raise AttributeError(f"a table of cases has no column {name}")
        return self._columns[name]

    def take(self, rows: Sequence[int] | np.ndarray) -> CaseTable:
        """The rows of these positions, each as often as it is named."""
        taken = CaseTable.__new__(CaseTable)
        places = np.asarray(rows, dtype=int)
        taken._columns = {name: column[places] for name, column in self._columns.items()}
        return taken

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary a case, as :meth:`from_rows` takes them."""
        columns: dict[str, list] = {
            name: [one.tolist() for one in column] if column.dtype == object else column.tolist()
            for name, column in self._columns.items()
        }
        return [{name: values[row] for name, values in columns.items()} for row in range(len(self))]

    @property
    def groups(self) -> list[list[int]]:
        """Positions of the cases of each patient."""
        found: dict[Any, list[int]] = {}
        for i, (case, patient) in enumerate(zip(self.case_id, self.patient_id, strict=True)):
            found.setdefault(str(patient) or ("case", str(case)), []).append(i)
        return list(found.values())

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> CaseTable:
        """Table of what :meth:`CaseScores.to_json` wrote, with ``patient_id`` where known."""
        names = {one.name for one in fields(CaseScores)}
        known: list[dict[str, Any]] = [{k: v for k, v in row.items() if k in names and v is not None} for row in rows]
        return cls([CaseScores(**row) for row in known])
