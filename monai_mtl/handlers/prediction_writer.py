"""Files of an inference run: mask, probability, overlay and JSON for every image."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow
from PIL import Image
from tqdm import tqdm

from ..bundle.occupied_folder import OccupiedFolder
from ..data.dataset import TolerantDataset
from ..data.reader import read_again
from ..errors import DataError, MonaiMtlError, RunError
from ..outputs.boxes import BOX_COLOUR, BOX_LEGEND, draw_box
from ..outputs.explanation import draw_explanation
from ..outputs.lesion_list import lesion_entries, spacing_entry, within
from ..outputs.lesions import find_lesions
from ..outputs.overlay import HEIGHT, contact_sheet, draw_case
from ..outputs.result_json import provenance, write_json
from .dicom_files import DicomFiles
from .inference_page import InferencePage

__all__ = ["PredictionWriter", "explanation_of"]

logger = logging.getLogger("monai_mtl")
SHOWN = 8
RESERVED = ("report", "results")
"""Names of the run's own JSON files; some disks do not tell small from capital letters."""


class PredictionWriter:
    """Writes each case as it is done and a summary at the end.

    For a case ``x`` of the data set: ``x_mask.png`` (0 and 255) and ``x_probability.png`` (16 bits, 65535 is
    certainty) on the grid of the image, ``x_overlay.png`` and ``x.json``; of a DICOM image also ``x_seg.dcm`` and
    ``x_sr.dcm``, as ``dicom`` says; with an explanation also ``x_explain.png``; for the run ``results.json``,
    ``overview.png``, ``report.html`` and ``report.json``. Reads ``pred`` ``(W, H)``, ``probability`` ``(1, W, H)``,
    ``result`` and, where it is there, ``explanation`` ``(1, W, H)`` of each case.
    It follows an engine, while a second run into the same folder is refused; or is called by a program:
    :meth:`begin`, :meth:`write` for each case, :meth:`finish`.

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
        self.output_dir, self.dataset, self.weights = Path(output_dir), dataset, weights
        self.bundle, self.bundle_version = bundle, bundle_version
        self.computed_with: dict[str, str] = {}
        """More of what made the results, told in every JSON."""
        self.page = InferencePage(HEIGHT)
        """The page of the run."""
        self._lesions = list(seg_classes)[1:]
        self._dicom = DicomFiles(dicom, coded_concepts, self._lesions)
        self._results: list[dict] = []
        self._pictures: list[Image.Image] = []
        self._folder = OccupiedFolder(self.output_dir)

    def attach(self, engine: Workflow) -> None:
        """Follow an evaluator."""
        engine.add_event_handler(Events.STARTED, self._folder.take)
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._finish)
        engine.add_event_handler(Events.COMPLETED, self._folder.leave)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._stopped)

    def _start(self, engine: Workflow) -> None:
        self.page.device = str(engine.state.device)
        self.begin()

    def _write(self, engine: Workflow) -> None:
        for case, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                self.write(case, output)
            except MonaiMtlError as error:
                self.dataset.faults[case["case_id"]] = error

    def _finish(self, engine: Workflow) -> None:
        summary = self.finish()
        if summary["failed"]:
            raise self.failure()

    def _stopped(self, error: BaseException) -> None:
        self._folder.leave()
        raise error

    def begin(self) -> None:
        """Start a run over the data set.

        Raises:
            ConfigError: If DICOM files are always wanted and cannot be written here.
        """
        self._dicom.begin()
        self._results, self._pictures = [], []
        self.page.begin()
        self._model = provenance(self.bundle, self.bundle_version, self.weights) | self.computed_with
        self._bar = tqdm(total=len(self.dataset.data), desc="inference", unit="image", disable=None)

    def write(self, case: dict, output: dict[str, Any]) -> None:
        """Write one case.

        Args:
            case: As the data set gave it.
            output: After postprocessing.

        Raises:
            DataError: If DICOM files are always wanted and cannot be made of this case, or it is called as a file of
                the run.
        """
        name = case["case_id"]
        if name.lower() in RESERVED:
            what = f"the answer for an image called {name} would be {name}.json, which is a file of the run"
            raise DataError(what, expected=f"another name than {' or '.join(RESERVED)}", fix="rename the image")
        target = self.output_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        result, picture = self._write_files(case, output, target)
        write_json(target.with_name(f"{target.name}.json"), result)
        self._results.append(result)
        if len(self._pictures) < SHOWN:
            self._pictures.append(picture)
        self.page.add(name, picture)
        self._bar.update()

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

    @property
    def _title(self) -> str:
        return f"{self.bundle}: first {len(self._pictures)} images"

    def finish(self) -> dict[str, Any]:
        """Write the summary, if any case was done.

        Returns:
            Its content: ``results`` and ``failed``.
        """
        self._bar.close()
        summary = {
            "results": self._results,
            "failed": [{"case_id": name, **self._fault(name)} for name in self.dataset.faults],
        }
        if self._results:
            write_json(self.output_dir / "results.json", summary)
            self._sheet().save(self.output_dir / "overview.png")
            logger.info("%d images done", len(self._results))
            logger.info("picture: %s", self.output_dir / "overview.png")
            logger.info("results: %s", self.output_dir / "results.json")
            model = {**self._model, "weights": self.weights}
            logger.info("report: %s", self.page.write(self.output_dir, self.dataset.data, summary, model))
        return summary

    def failure(self) -> RunError:
        """The cases that could not be used, as an error."""
        faults = self.dataset.faults
        return RunError(
            f"{len(faults)} of {len(self.dataset.data)} images could not be used; all others are done",
            [f"{name}: {self._line(name)}" for name in faults],
            fix="repair or remove these files and run again",
        )

    def _fault(self, name: str) -> dict[str, str]:
        """Why a case failed, and what helps; folders may be named after patients."""
        image = next(case["image"] for case in self.dataset.data if case["case_id"] == name)
        fault = self.dataset.faults[name]
        texts = {"reason": fault.what, "expected": fault.expected, "fix": fault.fix}
        return {key: text.replace(str(image), Path(image).name) for key, text in texts.items()}

    def _line(self, name: str) -> str:
        told = self._fault(name)
        return "; ".join([told["reason"], *(f"{key}: {told[key]}" for key in ("expected", "fix") if told[key])])


def explanation_of(output: Mapping[str, Any]) -> np.ndarray | None:
    """Map that explains the answer, on the grid of the file, rows first; None where none was asked for."""
    return np.asarray(output["explanation"], dtype=np.float32)[0].T if "explanation" in output else None


def _sentence(result: dict) -> str:
    found = result["classification"]
    *_, (name, probability) = found["probabilities"].items()
    no_box = "detection" in result and result["detection"]["box_xyxy"] is None
    return f"{found['label']}; p({name}) = {probability:.2f}{'; no box' if no_box else ''}"
