"""A run of an inference that writes each case as it is done: its order, its summary, and what failed."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow
from PIL import Image
from tqdm import tqdm

from ..bundle.occupied_folder import OccupiedFolder
from ..data.dataset import TolerantDataset
from ..errors import DataError, MonaiMtlError, RunError
from ..outputs.result_json import provenance, write_json
from .inference_page import InferencePage

__all__ = ["CaseWriter"]

logger = logging.getLogger("monai_mtl")
SHOWN = 8
RESERVED = ("report", "results")
"""Names of the run's own JSON files; some disks do not tell small from capital letters."""


class CaseWriter(ABC):
    """Writes ``x.json`` for a case ``x``, and at the end ``results.json``, ``overview.png`` and the page of the run.

    It follows an engine, while a second run into the same folder is refused; or is called by a program:
    :meth:`begin`, :meth:`write` for each case, :meth:`finish`. What a case looks like is a subclass's.

    Args:
        output_dir: Folder to write to.
        dataset: The cases, with the faults of those that could not be read.
        weights: Weights file, named by its digest in every JSON.
        bundle: Name of the bundle.
        bundle_version: Its version.
        page: The page of the run.
    """

    def __init__(
        self,
        output_dir: PathLike,
        dataset: TolerantDataset,
        weights: PathLike,
        bundle: str,
        bundle_version: str,
        page: InferencePage,
    ) -> None:
        self.output_dir, self.dataset, self.weights = Path(output_dir), dataset, weights
        self.bundle, self.bundle_version, self.page = bundle, bundle_version, page
        self.computed_with: dict[str, str] = {}
        """More of what made the results, told in every JSON."""
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
        """Start a run over the data set."""
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

    @abstractmethod
    def _write_files(self, case: dict, output: dict[str, Any], target: Path) -> tuple[dict[str, Any], Image.Image]:
        """Write the pictures of one case; its result and its overlay."""

    @abstractmethod
    def _sheet(self) -> Image.Image:
        """The first pictures of the run, on one sheet."""

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
