"""Files of an inference: mask, probability, overlay and JSON for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from PIL import Image

from ..data.dataset import TolerantDataset
from ..data.reader import read_again
from ..outputs.boxes import BOX_COLOUR, BOX_LEGEND, draw_box
from ..outputs.explanation import draw_explanation
from ..outputs.lesion_list import lesion_entries, spacing_entry, within
from ..outputs.lesions import find_lesions
from ..outputs.overlay import HEIGHT, contact_sheet, draw_case
from .case_writer import CaseWriter
from .dicom_files import DicomFiles
from .inference_page import InferencePage

__all__ = ["PredictionWriter", "explanation_of"]


class PredictionWriter(CaseWriter):
    """Writes each case as it is done and a summary at the end, as a :class:`CaseWriter`.

    For a case ``x`` of the data set: ``x_mask.png`` (0 and 255) and ``x_probability.png`` (16 bits, 65535 is
    certainty) on the grid of the image, ``x_overlay.png`` and ``x.json``; of a DICOM image also ``x_seg.dcm`` and
    ``x_sr.dcm``, as ``dicom`` says; with an explanation also ``x_explain.png``; for the run ``results.json``,
    ``overview.png``, ``report.html`` and ``report.json``. Reads ``pred`` ``(W, H)``, ``probability`` ``(1, W, H)``,
    ``result`` and, where it is there, ``explanation`` ``(1, W, H)`` of each case.

    Args:
        output_dir: Folder to write to.
        dataset: The cases, with the faults of those that could not be read.
        weights: Weights file, named by its digest in every JSON.
        bundle: Name of the bundle.
        bundle_version: Its version.
        dicom: When a DICOM image is answered in DICOM too: ``"auto"``, ``"always"`` or ``"never"``, as in
            :class:`monai_mtl.handlers.dicom_files.DicomFiles`.
        coded_concepts: The field of this name of ``metadata.json``; needed unless ``dicom`` is ``"never"``.
        seg_classes: Names of the mask's classes, index 0 first. Where lesions have several, ``x_mask.png`` holds the
            class's index, which looks black, and each lesion is told with the class of most of its pixels.

    Raises:
        ConfigError: If ``dicom`` or ``coded_concepts`` are not as they should be.
    """

    def __init__(
        self,
        output_dir: PathLike,
        dataset: TolerantDataset,
        weights: PathLike,
        bundle: str,
        bundle_version: str,
        dicom: str = "never",
        coded_concepts: Mapping[str, Any] | None = None,
        seg_classes: Sequence[str] = (),
    ) -> None:
        super().__init__(output_dir, dataset, weights, bundle, bundle_version, InferencePage(HEIGHT))
        self._lesions = list(seg_classes)[1:]
        self._dicom = DicomFiles(dicom, coded_concepts, self._lesions)

    def begin(self) -> None:
        """Start a run over the data set.

        Raises:
            ConfigError: If DICOM files are always wanted and cannot be written here.
        """
        self._dicom.begin()
        super().begin()

    def _write_files(self, case: dict, output: dict[str, Any], target: Path) -> tuple[dict[str, Any], Image.Image]:
        """Write the pictures of one case; its result and its overlay."""
        files = {kind: target.with_name(f"{target.name}_{kind}.png") for kind in ("mask", "probability", "overlay")}
        # Arrays of MONAI have x first, pictures have rows first.
        mask = np.asarray(output["pred"], dtype=np.uint8).T
        probability = np.asarray(output["probability"], dtype=np.float32)[0].T
        meta = case["image"].meta
        source = Path(meta["filename_or_obj"])
        grey, _ = read_again(meta)
        if grey.ndim == 3:
            grey = grey.mean(axis=0)
        spacing = np.asarray(meta.get("spacing", [np.nan] * 2), dtype=float).reshape(-1).tolist()
        numbers, found = find_lesions(mask, spacing)
        area = meta.get("calibrated_xyxy")
        lesions = within(found, None if area is None else np.asarray(area, dtype=float).reshape(-1).tolist())
        dicom = self._dicom.write(case, numbers, lesions, output["result"], self._model, target)
        files |= dicom["files"]
        if (explained := explanation_of(output)) is not None:
            files["explain"] = target.with_name(f"{target.name}_explain.png")
        result = {
            "case_id": case["case_id"],
            "image": source.name,
            **output["result"],
            "segmentation": self._counts(mask),
            "spacing": spacing_entry(spacing, str(meta.get("spacing_source", "none"))),
            "lesions": lesion_entries(numbers, lesions, probability, bool(np.isfinite(spacing).all()), self._lesions),
            "files": {kind: path.name for kind, path in files.items()},
            **({"dicom_not_written": dicom["reason"]} if dicom["reason"] else {}),
            "model": self._model,
        }
        caption = [case["case_id"], _sentence(result)]
        picture = draw_case(grey.T, probability, mask > 0, caption=caption)
        if (box := result.get("detection", {}).get("box_xyxy")) is not None:
            words = f"{result['detection']['score']:.2f}"
            draw_box(picture, box, (mask.shape[1], mask.shape[0]), BOX_COLOUR, words)
        if explained is not None:
            draw_explanation(grey.T, explained, caption).save(files["explain"])
        del grey
        Image.fromarray(mask * np.uint8(1 if len(self._lesions) > 1 else 255)).save(files["mask"])
        scaled = probability.clip(0, 1)
        scaled *= 65535
        Image.fromarray(np.round(scaled, out=scaled).astype(np.uint16)).save(files["probability"])
        picture.save(files["overlay"])
        return result, picture

    def _counts(self, mask: np.ndarray) -> dict[str, Any]:
        """Pixels of lesions, by class where they have several, and the size of the image."""
        by_class = {name: int((mask == kind).sum()) for kind, name in enumerate(self._lesions, 1)}
        counts = {"lesion_pixels": int((mask > 0).sum()), "image_size_xy": [mask.shape[1], mask.shape[0]]}
        return counts | ({"class_pixels": by_class} if len(by_class) > 1 else {})

    def _sheet(self) -> Image.Image:
        boxes = any("detection" in result for result in self._results)
        return contact_sheet(self._pictures, self._title, truth=False, more=BOX_LEGEND if boxes else ())


def explanation_of(output: Mapping[str, Any]) -> np.ndarray | None:
    """Map that explains the answer, on the grid of the file, rows first; None where none was asked for."""
    return np.asarray(output["explanation"], dtype=np.float32)[0].T if "explanation" in output else None


def _sentence(result: dict) -> str:
    found = result["classification"]
    *_, (name, probability) = found["probabilities"].items()
    no_box = "detection" in result and result["detection"]["box_xyxy"] is None
    return f"{found['label']}; p({name}) = {probability:.2f}{'; no box' if no_box else ''}"
