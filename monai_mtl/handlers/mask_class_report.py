"""Files of an evaluation whose masks have named classes: what such reports share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.config import PathLike

from .evaluation_report import EvaluationReport

__all__ = ["MaskClassReport"]


class MaskClassReport(EvaluationReport):
    """The files of :class:`EvaluationReport`, with the names of the mask's classes in ``run.json``.

    Args:
        output_dir: As there, and so are all others.
        classes: As there.
        title: As there.
        seg_classes: Names of the mask's classes, index 0 first.
        **options: As there.

    Raises:
        ValueError: As there.
    """

    def __init__(
        self, output_dir: PathLike, classes: Sequence[str], title: str, seg_classes: Sequence[str], **options: Any
    ) -> None:
        super().__init__(output_dir, classes, title, **options)
        self.seg_classes = list(seg_classes)

    def _words(self) -> dict[str, Any]:
        return {"seg_classes": self.seg_classes}
