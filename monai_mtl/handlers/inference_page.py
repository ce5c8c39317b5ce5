"""What the page of an inference shows, collected while the cases are written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..outputs.report import write_inference_report
from ..outputs.report.cases import small_picture
from ..outputs.report.page import PICTURES
from ..outputs.report.record import run_record

__all__ = ["InferencePage"]


class InferencePage:
    """Keeps the overlays of the first cases, as small as the page needs them, and writes the page at the end.

    Args:
        height: Of the overlays' panels in pixels.
        tissues: Names and colours, where a pixel has one of several.
    """

    def __init__(self, height: int, tissues: Sequence[tuple[str, tuple[int, int, int]]] = ()) -> None:
        self.height, self.tissues = height, list(tissues)
        self.device = ""
        """What the network runs on, which whoever runs it may tell."""
        self.begin()

    def begin(self) -> None:
        """Forget the cases of another run, and look at the clock."""
        self._pictures: dict[str, dict[str, Any]] = {}
        self._begun = time.monotonic()

    def add(self, name: str, overlay: Image.Image) -> None:
        """Keep the overlay of a case.

        Args:
            name: Its ``case_id``.
            overlay: Caption above, panels below.
        """
        if len(self._pictures) < PICTURES:
            self._pictures[name] = small_picture(overlay, self.height)

    def write(
        self, folder: Path, cases: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], model: Mapping[str, Any]
    ) -> Path:
        """Write ``report.html`` and ``report.json``.

        Args:
            folder: Of the run.
            cases: All images of the run.
            summary: Content of ``results.json``.
            model: What made it, as in every JSON, and ``weights``, the file.

        Returns:
            Path of the page.
        """
        few = len(cases) <= PICTURES
        seconds = time.monotonic() - self._begun
        record = run_record(cases if few else (), seconds, self.device, None, model["weights"])
        record["bundle"] = {"name": model["bundle"], "version": model["bundle_version"]}
        record |= {name: model[name] for name in ("backend", "precision") if name in model}
        if not few:
            record["data_reason"] = f"more than {PICTURES} images are not read a second time"
        title = f"{model['bundle']}: inference on {len(cases)} images"
        return write_inference_report(folder, title, summary, self._pictures, record, self.tissues)
